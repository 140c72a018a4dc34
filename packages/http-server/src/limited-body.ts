import { type ByteStream, GatewayError } from "@modelgate/core";
import type { BodyChecker } from "./checks/body-checker.ts";
import { ClientGone } from "./exchange.ts";

export function payloadTooLarge(maxBytes: number): GatewayError {
  return new GatewayError("PAYLOAD_TOO_LARGE", `the body is larger than the ${maxBytes} bytes allowed`, {
    details: { maxBytes },
  });
}

/**
 * A body that stops as soon as it is larger than allowed, or not what it says it is. It can be read once, and has to be
 * let go by `return` when it is not read to its end: the rest would block its connection.
 */
export class LimitedBody implements AsyncIterableIterator<Uint8Array, undefined> {
  readonly #source: AsyncIterator<Uint8Array>;
  readonly #maxBytes: number;
  readonly #checker: BodyChecker | undefined;
  #sizeBytes = 0;
  /** Why it stopped early; kept because a store may reject with an error of its own. */
  failure: Error | undefined;

  constructor(source: ByteStream, maxBytes: number, checker: BodyChecker | undefined) {
    this.#source = source[Symbol.asyncIterator]();
    this.#maxBytes = maxBytes;
    this.#checker = checker;
  }

  async next(): Promise<IteratorResult<Uint8Array, undefined>> {
    if (this.failure !== undefined) throw this.failure;
    try {
      const next = await this.#source.next();
      if (next.done === true) {
        this.#checker?.end();
        return { done: true, value: undefined };
      }
      this.#sizeBytes += next.value.byteLength;
      if (this.#sizeBytes > this.#maxBytes) throw payloadTooLarge(this.#maxBytes);
      this.#checker?.push(next.value);
      return next;
    } catch (error) {
      this.failure = error instanceof Error ? error : new ClientGone();
      throw this.failure;
    }
  }

  async return(): Promise<IteratorResult<Uint8Array, undefined>> {
    await this.#source.return?.();
    return { done: true, value: undefined };
  }

  [Symbol.asyncIterator](): this {
    return this;
  }
}
