import type { Hash } from "node:crypto";
import type { RequestBody } from "./exchange.ts";

const FIRST_SLAB_BYTES = 64 * 1024;
const LARGEST_SLAB_BYTES = 1024 * 1024;

/**
 * The bytes of one request, copied from the pieces that come and hashed as they come, so that no hash of a whole part
 * ever holds up the process. What is held grows with what has come: most bodies are small.
 */
export class PartBuffer implements RequestBody {
  sizeBytes = 0;
  readonly #limitBytes: number;
  readonly #newHash: () => Hash;
  readonly #slabs: Buffer[] = [];
  /** The slab that is being filled, and how much of it is. */
  #at = 0;
  #filledBytes = 0;
  #hash: Hash;
  #digest: Buffer | undefined;

  constructor(limitBytes: number, newHash: () => Hash) {
    this.#limitBytes = limitBytes;
    this.#newHash = newHash;
    this.#hash = newHash();
  }

  get isFull(): boolean {
    return this.sizeBytes === this.#limitBytes;
  }

  /** Takes as much of `bytes` as there is room for, and says how much that was. */
  add(bytes: Uint8Array): number {
    const taken = bytes.subarray(0, this.#limitBytes - this.sizeBytes);
    this.#hash.update(taken);
    for (let at = 0; at < taken.byteLength; ) {
      const slab = this.#slab();
      const part = taken.subarray(at, at + slab.byteLength - this.#filledBytes);
      slab.set(part, this.#filledBytes);
      this.#filledBytes += part.byteLength;
      this.sizeBytes += part.byteLength;
      at += part.byteLength;
    }
    return taken.byteLength;
  }

  get pieces(): readonly Uint8Array[] {
    const full = this.#slabs.slice(0, this.#at);
    const last = this.#slabs[this.#at]?.subarray(0, this.#filledBytes);
    return last === undefined || last.byteLength === 0 ? full : [...full, last];
  }

  get digest(): Buffer {
    this.#digest ??= this.#hash.digest();
    return this.#digest;
  }

  /** Empties it; the memory is kept for the next part. */
  reset(): void {
    this.sizeBytes = 0;
    this.#at = 0;
    this.#filledBytes = 0;
    this.#hash = this.#newHash();
    this.#digest = undefined;
  }

  #slab(): Buffer {
    const current = this.#slabs[this.#at];
    if (current !== undefined && this.#filledBytes < current.byteLength) return current;
    if (current !== undefined) this.#at += 1;
    this.#filledBytes = 0;
    const sizeBytes = Math.min(LARGEST_SLAB_BYTES, Math.max(FIRST_SLAB_BYTES, this.sizeBytes));
    // Not from the pool: these live as long as an upload does.
    this.#slabs[this.#at] ??= Buffer.allocUnsafeSlow(Math.min(sizeBytes, this.#limitBytes - this.sizeBytes));
    return this.#slabs[this.#at] as Buffer;
  }
}
