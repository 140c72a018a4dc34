import type { FileHandle } from "node:fs/promises";
import { atFiles } from "./file-error.ts";

/**
 * Sockets deliver 64 KiB and less at a time, and a call to the file system costs about as much as writing that. Two
 * buffers of this size let one be filled while the other is written; larger ones were no faster, and less steady.
 */
const BUFFER_BYTES = 256 * 1024;
/** What trickles in is written at least so often: a file that nobody touches is swept as left behind. */
const LONGEST_UNWRITTEN_MS = 60_000;

/** Appends pieces to a file. A piece may change as soon as `add` has resolved. */
export class FileWriter {
  readonly #file: FileHandle;
  #filling: Buffer | undefined;
  #filledBytes = 0;
  #spare: Buffer | undefined;
  /** The one write under way; its failure is told by the next call. */
  #writing: Promise<void> = Promise.resolve();
  #writtenAtMs = Date.now();

  constructor(file: FileHandle) {
    this.#file = file;
  }

  async add(piece: Uint8Array): Promise<void> {
    if (this.#filledBytes === 0 && piece.byteLength >= BUFFER_BYTES) {
      await this.#writing;
      await this.#write(piece);
      return;
    }
    for (let at = 0; at < piece.byteLength; ) {
      this.#filling ??= this.#takeBuffer();
      const part = piece.subarray(at, at + BUFFER_BYTES - this.#filledBytes);
      this.#filling.set(part, this.#filledBytes);
      this.#filledBytes += part.byteLength;
      at += part.byteLength;
      if (this.#filledBytes === BUFFER_BYTES) await this.#swap();
    }
    if (this.#filledBytes > 0 && Date.now() - this.#writtenAtMs > LONGEST_UNWRITTEN_MS) await this.#swap();
  }

  /** Resolves when all that was added is with the file system. */
  async flush(): Promise<void> {
    if (this.#filledBytes > 0) await this.#swap();
    await this.#writing;
  }

  /** Resolves when nothing is written any more, whether it failed or not. */
  async idle(): Promise<void> {
    await this.#writing.catch(() => {});
  }

  async #swap(): Promise<void> {
    await this.#writing;
    const full = this.#filling as Buffer;
    const bytes = full.subarray(0, this.#filledBytes);
    this.#filling = this.#spare;
    this.#filledBytes = 0;
    this.#spare = full;
    this.#writing = this.#write(bytes);
    this.#writing.catch(() => {});
  }

  #takeBuffer(): Buffer {
    return Buffer.allocUnsafeSlow(BUFFER_BYTES);
  }

  async #write(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.byteLength; ) {
      const { bytesWritten } = await atFiles(() => this.#file.write(bytes, at, bytes.byteLength - at));
      at += bytesWritten;
    }
    this.#writtenAtMs = Date.now();
  }
}
