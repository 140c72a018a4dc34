import type { Clock } from "../../contracts/clock.ts";
import type { ByteStream } from "../../contracts/common.ts";
import { GatewayError } from "../../errors.ts";

/** How a body came to its end. */
export type BodyEnd = "read" | "returned" | "failed";

/**
 * Passes a body on, and tells its end once. A reader that takes nothing for `idleTimeoutMs` has gone without a word:
 * the body is let go of, since it keeps a slot and a connection.
 */
export class HeldBody implements AsyncIterableIterator<Uint8Array> {
  readonly #body: AsyncIterator<Uint8Array>;
  readonly #clock: Clock;
  readonly #idleTimeoutMs: number;
  readonly #onEnd: (how: BodyEnd) => void;
  #isOver = false;
  /** Why there is no more, though the end was not read. */
  #failure: GatewayError | undefined;
  #isReading = false;
  #lastReadMs: number;
  #cancelTimer: () => void;

  constructor(body: ByteStream, clock: Clock, idleTimeoutMs: number, onEnd: (how: BodyEnd) => void) {
    this.#body = body[Symbol.asyncIterator]();
    this.#clock = clock;
    this.#idleTimeoutMs = idleTimeoutMs;
    this.#onEnd = onEnd;
    this.#lastReadMs = clock.monotonic();
    this.#cancelTimer = this.#watch(idleTimeoutMs);
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async next(): Promise<IteratorResult<Uint8Array, undefined>> {
    if (this.#failure !== undefined) throw this.#failure;
    this.#isReading = true;
    try {
      const { done, value } = await this.#body.next();
      if (done !== true) return { done: false, value };
      this.#end("read");
      return { done: true, value: undefined };
    } catch (error) {
      this.#end("failed");
      throw error;
    } finally {
      this.#isReading = false;
      this.#lastReadMs = this.#clock.monotonic();
    }
  }

  async return(): Promise<IteratorResult<Uint8Array, undefined>> {
    this.#end("returned");
    await this.#body.return?.();
    return { done: true, value: undefined };
  }

  #watch(delayMs: number): () => void {
    return this.#clock.after(delayMs, () => {
      if (this.#isOver) return;
      const idleMs = this.#isReading ? 0 : this.#clock.monotonic() - this.#lastReadMs;
      if (idleMs < this.#idleTimeoutMs) this.#cancelTimer = this.#watch(this.#idleTimeoutMs - idleMs);
      else this.#letGo();
    });
  }

  #letGo(): void {
    this.#failure = new GatewayError("SERVER_BROKE_OFF", "the answer was let go of, as nobody read on");
    this.#end("failed");
    this.#body.return?.().catch(() => {});
  }

  #end(how: BodyEnd): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#cancelTimer();
    this.#onEnd(how);
  }
}
