import type { ByteStream, OperationOptions } from "../contracts/common.ts";

export interface CollectOptions extends OperationOptions {
  /** Called with the size so far after each piece; throws to refuse the rest. */
  readonly onPiece?: ((sizeBytes: number) => void) | undefined;
}

/** The whole of a stream. It is let go of whatever happens, also when it hangs while `signal` is aborted. */
export async function collectBytes(body: ByteStream, options: CollectOptions = {}): Promise<Uint8Array> {
  const { signal, onPiece } = options;
  signal?.throwIfAborted();
  const pieces: Uint8Array[] = [];
  let sizeBytes = 0;
  const iterator = body[Symbol.asyncIterator]();
  let onAbort = (): void => {};
  const aborted = new Promise<never>((_, reject) => {
    onAbort = () => reject(signal?.reason);
  });
  signal?.addEventListener("abort", onAbort, { once: true });
  let isOver = false;
  try {
    for (;;) {
      const next = await Promise.race([iterator.next(), aborted]);
      if (next.done === true) break;
      // The sender may use its buffer again.
      pieces.push(next.value.slice());
      sizeBytes += next.value.byteLength;
      onPiece?.(sizeBytes);
    }
    isOver = true;
  } finally {
    signal?.removeEventListener("abort", onAbort);
    // Not awaited: the return of a generator that hangs in `next` hangs too.
    if (!isOver) Promise.resolve(iterator.return?.()).catch(() => {});
  }
  const bytes = new Uint8Array(sizeBytes);
  let at = 0;
  for (const piece of pieces) {
    bytes.set(piece, at);
    at += piece.byteLength;
  }
  return bytes;
}
