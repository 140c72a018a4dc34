import type { ByteStream } from "../../contracts/common.ts";

type Step = Uint8Array | "end" | { readonly error: unknown };

/** A body whose pieces come when a test says so, and that knows what its reader does. */
export class HandFedBody implements ByteStream {
  /** Calls of `next`. */
  asked = 0;
  /** Whether a second call of `next` came before the first was answered. */
  wasHurried = false;
  isReturned = false;
  readonly #steps: Step[] = [];
  #waiting: ((step: Step) => void) | undefined;

  /** Gives a piece to who waits for one, or to who asks next. */
  give(step: Step): void {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    if (waiting === undefined) this.#steps.push(step);
    else waiting(step);
  }

  /** Whether the reader waits for a piece that has not come yet. */
  get isAwaited(): boolean {
    return this.#waiting !== undefined;
  }

  [Symbol.asyncIterator](): AsyncIterator<Uint8Array> {
    return {
      next: async () => {
        this.asked += 1;
        if (this.#waiting !== undefined) this.wasHurried = true;
        const ready = this.#steps.shift();
        const step =
          ready ??
          (await new Promise<Step>((resolve) => {
            this.#waiting = resolve;
          }));
        if (step === "end") return { done: true, value: undefined };
        if (step instanceof Uint8Array) return { done: false, value: step };
        throw step.error;
      },
      return: async () => {
        this.isReturned = true;
        return { done: true, value: undefined };
      },
    };
  }
}
