import type { Clock } from "../contracts/clock.ts";

/** Lets any number wait until something was heard. */
export class News {
  readonly #clock: Clock;
  readonly #waiting = new Set<() => void>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  tell(): void {
    for (const wake of [...this.#waiting]) wake();
  }

  /** Resolves at the next news, or after `forMs`; rejects with the signal's reason. */
  wait(forMs: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted === true) {
        reject(signal.reason);
        return;
      }
      const end = (settle: () => void) => () => {
        cancel();
        this.#waiting.delete(wake);
        signal?.removeEventListener("abort", onAbort);
        settle();
      };
      const wake = end(resolve);
      const onAbort = end(() => reject(signal?.reason));
      const cancel = this.#clock.after(forMs, wake);
      this.#waiting.add(wake);
      signal?.addEventListener("abort", onAbort, { once: true });
    });
  }
}
