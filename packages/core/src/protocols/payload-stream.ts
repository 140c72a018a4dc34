import { Readable } from "node:stream";
import type { ByteStream } from "../contracts/common.ts";
import { GatewayError } from "../errors.ts";

/**
 * A payload on its way into a socket. It holds the payload to the size announced (`PAYLOAD_LOST` when it is shorter
 * or longer), remembers that a failure was the payload's and not the server's, and lets go of the source whatever
 * becomes of the request.
 */
export class PayloadStream extends Readable {
  /** Why the payload could not be read. */
  failure: unknown;
  readonly #source: ByteStream;
  readonly #sizeBytes: number | undefined;
  #iterator: AsyncIterator<Uint8Array> | undefined;
  #isLeft = false;
  #readBytes = 0;

  constructor(source: ByteStream, sizeBytes: number | undefined) {
    super({ highWaterMark: 64 * 1024 });
    this.#source = source;
    this.#sizeBytes = sizeBytes;
    // Whoever sends it learns of the error from `failure`; without a listener it would end the process.
    this.on("error", () => {});
  }

  override _read(): void {
    this.#iterator ??= this.#source[Symbol.asyncIterator]();
    this.#pull(this.#iterator).catch((error: unknown) => {
      if (this.destroyed) return;
      this.failure =
        error ?? new GatewayError("PAYLOAD_LOST", "the payload's stream failed without a reason");
      this.destroy(error instanceof Error ? error : new Error("the payload's stream failed"));
    });
  }

  async #pull(iterator: AsyncIterator<Uint8Array>): Promise<void> {
    const next = await iterator.next();
    if (this.destroyed) return;
    if (next.done === true) {
      this.#checkSize(this.#readBytes === this.#sizeBytes);
      this.push(null);
      return;
    }
    this.#readBytes += next.value.byteLength;
    this.#checkSize(this.#readBytes <= (this.#sizeBytes ?? Number.POSITIVE_INFINITY));
    this.push(next.value);
  }

  #checkSize(holds: boolean): void {
    if (holds || this.#sizeBytes === undefined) return;
    throw new GatewayError("PAYLOAD_LOST", "the payload's stream is not as long as announced", {
      details: { announcedBytes: this.#sizeBytes, readBytes: this.#readBytes },
    });
  }

  /** From now on the source is somebody else's, unless something of it has been read. */
  leave(): void {
    this.#isLeft = true;
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    if (!this.#isLeft || this.#iterator !== undefined) letGo(this.#source, this.#iterator);
    callback(error);
  }
}

/** Lets go of a payload that will not be sent. */
export function discardPayload(payload: Uint8Array | ByteStream): void {
  if (!(payload instanceof Uint8Array)) letGo(payload, undefined);
}

function letGo(source: ByteStream, iterator: AsyncIterator<Uint8Array> | undefined): void {
  if (source instanceof Readable) {
    // `return()` of its iterator would wait for a read that may never end, and does nothing before the first one.
    source.on("error", () => {});
    source.destroy();
    return;
  }
  const open = iterator ?? source[Symbol.asyncIterator]();
  Promise.resolve(open.return?.()).catch(() => {});
}
