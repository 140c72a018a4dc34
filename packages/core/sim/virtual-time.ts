import { Heap } from "../src/scheduler/heap.ts";

interface Timer {
  readonly atMs: number;
  readonly order: number;
  callback: (() => void) | undefined;
}

/**
 * Resolves once nothing is left to do before the next timer. A tick runs when the queue of settled promises is empty;
 * the second one covers what a tick of somebody else had left to do. It spares the round through the event loop.
 */
function settled(): Promise<void> {
  return new Promise((resolve) => process.nextTick(() => process.nextTick(resolve)));
}

/** The one true time of a simulated world. It moves only when all promises have come to rest. */
export class VirtualTime {
  readonly #timers = new Heap<Timer>((a, b) => a.atMs - b.atMs || a.order - b.order);
  #order = 0;
  #nowMs = 0;
  #steps = 0;

  get nowMs(): number {
    return this.#nowMs;
  }

  /** Timers that have run. */
  get steps(): number {
    return this.#steps;
  }

  after(delayMs: number, callback: () => void): () => void {
    const timer: Timer = { atMs: this.#nowMs + Math.max(0, delayMs), order: this.#order++, callback };
    this.#timers.push(timer);
    return () => {
      timer.callback = undefined;
    };
  }

  sleep(delayMs: number): Promise<void> {
    return new Promise((resolve) => {
      this.after(delayMs, resolve);
    });
  }

  /** Runs timers in order until `untilMs`, or until `isOver` says so. */
  async run(untilMs: number, isOver: () => boolean = () => false): Promise<void> {
    await settled();
    while (!isOver()) {
      const next = this.#timers.peek();
      if (next === undefined || next.atMs > untilMs) {
        this.#nowMs = Math.max(this.#nowMs, untilMs);
        return;
      }
      this.#timers.pop();
      const { callback } = next;
      if (callback === undefined) continue;
      next.callback = undefined;
      this.#nowMs = next.atMs;
      this.#steps += 1;
      callback();
      await settled();
    }
  }
}
