/**
 * A call that is under way, and all that may end it before its time: the caller's signal, the store's being closed, a
 * part that cannot be stored. Whoever works for it asks to be told, and lets go when told.
 */
export class Operation {
  /** Resolves when it is over and holds nothing any more. */
  readonly over: Promise<void>;
  readonly #all: Set<Operation>;
  readonly #signal: AbortSignal | undefined;
  readonly #onAbort = (): void => this.end(this.#signal?.reason);
  // Not an `AbortSignal`: one body has many requests, and Node warns of a leak from the eleventh listener on.
  readonly #callbacks = new Set<(reason: unknown) => void>();
  #ended: { readonly reason: unknown } | undefined;
  #resolveOver = (): void => {};

  /** `all` are those that a store has under way; this one is among them until `finish` is called. */
  constructor(all: Set<Operation>, signal: AbortSignal | undefined) {
    this.#all = all;
    this.#signal = signal;
    this.over = new Promise((resolve) => {
      this.#resolveOver = resolve;
    });
    all.add(this);
    signal?.addEventListener("abort", this.#onAbort, { once: true });
    if (signal?.aborted) this.#onAbort();
  }

  get isEnded(): boolean {
    return this.#ended !== undefined;
  }

  /** The first reason stands. */
  end(reason: unknown): void {
    if (this.#ended !== undefined) return;
    this.#ended = { reason };
    for (const callback of this.#callbacks) callback(reason);
    this.#callbacks.clear();
  }

  throwIfEnded(): void {
    if (this.#ended !== undefined) throw this.#ended.reason;
  }

  /** Calls back once, when it ends; at once if it has. The function returned ends that. */
  onEnd(callback: (reason: unknown) => void): () => void {
    if (this.#ended !== undefined) {
      callback(this.#ended.reason);
      return () => {};
    }
    this.#callbacks.add(callback);
    return () => void this.#callbacks.delete(callback);
  }

  /** What `work` settles with, or a rejection as soon as this ends. */
  race<T>(work: () => Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      this.throwIfEnded();
      const release = this.onEnd(reject);
      work().then(resolve, reject).finally(release);
    });
  }

  /** It is over. */
  finish(): void {
    this.#callbacks.clear();
    this.#signal?.removeEventListener("abort", this.#onAbort);
    this.#all.delete(this);
    this.#resolveOver();
  }
}
