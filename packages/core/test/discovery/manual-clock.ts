import type { Clock } from "../../src/contracts/clock.ts";

/** Time that moves only when told to. */
export class ManualClock implements Clock {
  #nowMs = 0;
  #timers: { readonly atMs: number; readonly callback: () => void }[] = [];

  /** Timers that have not fired and were not cancelled. */
  get pending(): number {
    return this.#timers.length;
  }

  now(): number {
    return this.#nowMs;
  }

  monotonic(): number {
    return this.#nowMs;
  }

  after(delayMs: number, callback: () => void): () => void {
    const timer = { atMs: this.#nowMs + Math.max(0, delayMs), callback };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer);
    };
  }

  /** Moves on, fires what is due in order, and lets everything that follows from each happen before the next. */
  async advance(byMs: number): Promise<void> {
    const untilMs = this.#nowMs + byMs;
    await settled();
    for (;;) {
      const due = this.#timers.filter((timer) => timer.atMs <= untilMs);
      const first = due.toSorted((one, other) => one.atMs - other.atMs)[0];
      if (first === undefined) break;
      this.#timers = this.#timers.filter((timer) => timer !== first);
      this.#nowMs = first.atMs;
      first.callback();
      await settled();
    }
    this.#nowMs = untilMs;
  }
}

/** Resolves when every promise that can settle has. */
export function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
