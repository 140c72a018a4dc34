import { unavailable } from "./engine-error.ts";

/** Ends a call: at its time limit, when its caller gives up, and when the connection is closed. */
export class CallLimit {
  readonly #controller = new AbortController();
  readonly #sources: readonly AbortSignal[];
  #timer: NodeJS.Timeout | undefined;
  #isAbandoned = false;
  readonly #onAbort = (): void => {
    this.#end(this.#sources.find(({ aborted }) => aborted)?.reason);
  };

  constructor(timeoutMs: number, ...signals: readonly (AbortSignal | undefined)[]) {
    this.#sources = signals.filter((signal) => signal !== undefined);
    this.#timer = setTimeout(() => {
      this.#end(unavailable(`the engine did not answer within ${timeoutMs} ms`, "timeout"));
    }, timeoutMs);
    for (const signal of this.#sources) signal.addEventListener("abort", this.#onAbort, { once: true });
    if (this.#sources.some(({ aborted }) => aborted)) this.#onAbort();
  }

  /** Whether it ended because nobody wanted the rest, which is no error. */
  get isAbandoned(): boolean {
    return this.#isAbandoned;
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** From now on only the signals end it: an answer that goes on for as long as it likes has begun. */
  stopClock(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  /** The call is over by itself. Its signal stays as it is: to abort it now would close a connection that is kept. */
  release(): void {
    this.stopClock();
    for (const signal of this.#sources) signal.removeEventListener("abort", this.#onAbort);
  }

  /** Nobody wants the rest of the answer. */
  abandon(): void {
    this.#isAbandoned = !this.signal.aborted;
    this.#end(new Error("the rest of the answer is not wanted"));
  }

  /** `work`, or the reason for which this ended before. */
  async race<T>(work: Promise<T>): Promise<T> {
    const { signal } = this;
    let onAbort = (): void => {};
    const ended = new Promise<never>((_resolve, reject) => {
      onAbort = () => reject(signal.reason);
      signal.addEventListener("abort", onAbort, { once: true });
      if (signal.aborted) onAbort();
    });
    try {
      return await Promise.race([work, ended]);
    } finally {
      signal.removeEventListener("abort", onAbort);
    }
  }

  #end(reason: unknown): void {
    this.release();
    this.#controller.abort(reason);
  }
}
