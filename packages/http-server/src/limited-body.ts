import { type ByteStream, GatewayError } from "@modelgate/core";
import { ClientGone } from "./exchange.ts";

export function payloadTooLarge(maxBytes: number): GatewayError {
  return new GatewayError("PAYLOAD_TOO_LARGE", `the body is larger than the ${maxBytes} bytes allowed`, {
    details: { maxBytes },
  });
}

/** A body that stops as soon as it is larger than allowed. */
export class LimitedBody implements AsyncIterable<Uint8Array> {
  readonly #source: ByteStream;
  readonly #maxBytes: number;
  /** Why it stopped early; kept because a store may reject with an error of its own. */
  failure: GatewayError | ClientGone | undefined;

  constructor(source: ByteStream, maxBytes: number) {
    this.#source = source;
    this.#maxBytes = maxBytes;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void, undefined> {
    let sizeBytes = 0;
    try {
      for await (const chunk of this.#source) {
        sizeBytes += chunk.byteLength;
        if (sizeBytes > this.#maxBytes) throw payloadTooLarge(this.#maxBytes);
        yield chunk;
      }
    } catch (error) {
      this.failure = GatewayError.is(error) ? error : new ClientGone();
      throw this.failure;
    }
  }
}
