/** What ends something that is under way before its time: its caller's signal, or the store's being closed. */
export class Ending {
  /** Resolves when the thing is over and holds nothing any more. */
  readonly over: Promise<void>;
  readonly #all: Set<Ending>;
  readonly #signal: AbortSignal | undefined;
  readonly #onAbort = (): void => this.end(this.#signal?.reason);
  #ended: { readonly reason: unknown } | undefined;
  #onEnd: ((reason: unknown) => void) | undefined;
  #resolveOver = (): void => {};

  /** `all` are those that a store has under way; this one is among them until `finish` is called. */
  constructor(all: Set<Ending>, signal: AbortSignal | undefined) {
    this.#all = all;
    this.#signal = signal;
    this.over = new Promise((resolve) => {
      this.#resolveOver = resolve;
    });
    all.add(this);
    signal?.addEventListener("abort", this.#onAbort, { once: true });
    if (signal?.aborted) this.#onAbort();
  }

  end(reason: unknown): void {
    if (this.#ended !== undefined) return;
    this.#ended = { reason };
    this.#onEnd?.(reason);
  }

  throwIfEnded(): void {
    if (this.#ended !== undefined) throw this.#ended.reason;
  }

  /** Who is told at once when it ends; one at a time. */
  set onEnd(callback: ((reason: unknown) => void) | undefined) {
    this.#onEnd = callback;
  }

  /** What `work` settles with, or a rejection as soon as this ends. */
  race<T>(work: () => Promise<T>): Promise<T> {
    // No `Promise.race` against one long-lived promise: that keeps something for each piece of a body until its end.
    return new Promise((resolve, reject) => {
      this.throwIfEnded();
      this.#onEnd = reject;
      work().then(resolve, reject);
    });
  }

  /** The thing is over. */
  finish(): void {
    this.#onEnd = undefined;
    this.#signal?.removeEventListener("abort", this.#onAbort);
    this.#all.delete(this);
    this.#resolveOver();
  }
}
