/** Where bytes lie in the buffer of a message. */
export type BodySlice = readonly [number, number];

/** Collects the bytes of a message into one buffer of its own, which can change hands: callers keep theirs. */
export class BodyPack {
  readonly #parts: Uint8Array[] = [];
  #length = 0;

  get length(): number {
    return this.#length;
  }

  add(bytes: Uint8Array): BodySlice {
    const at = this.#length;
    this.#parts.push(bytes);
    this.#length += bytes.byteLength;
    return [at, bytes.byteLength];
  }

  /** The buffer, or `undefined` when there is nothing in it. */
  pack(): ArrayBuffer | undefined {
    if (this.#parts.length === 0) return undefined;
    const packed = new Uint8Array(this.#length);
    let at = 0;
    for (const part of this.#parts) {
      packed.set(part, at);
      at += part.byteLength;
    }
    return packed.buffer;
  }
}

/** A view, for a use that ends before the buffer is needed no more. */
export function viewOf(bytes: ArrayBuffer | undefined, [at, length]: BodySlice): Uint8Array {
  return new Uint8Array(bytes ?? new ArrayBuffer(0), at, length);
}

/** Bytes of their own: a small body that is kept must not keep the whole message. */
export function copyOf(bytes: ArrayBuffer | undefined, slice: BodySlice): Uint8Array {
  const view = viewOf(bytes, slice);
  return view.byteLength === bytes?.byteLength ? view : view.slice();
}
