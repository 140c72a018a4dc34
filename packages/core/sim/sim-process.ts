import type { Clock } from "../src/contracts/clock.ts";
import type { VirtualTime } from "./virtual-time.ts";

/** Wall clocks of the simulation begin here. */
export const EPOCH_MS = 1_700_000_000_000;

export interface ProcessOptions {
  /** How far its wall clock is off. */
  readonly wallOffsetMs: number;
  /** How long after its death what it had sent may still arrive. */
  readonly lingersMs: number;
}

/**
 * One process: a view of time, and whether it lives. A dead one gets nothing any more; a paused one gets everything
 * when it comes back, its timers first, as an operating system hands them out.
 */
export class SimProcess {
  readonly name: string;
  readonly clock: Clock;
  readonly #time: VirtualTime;
  readonly #bornAtMs: number;
  readonly #lingersMs: number;
  #diedAtMs = Number.POSITIVE_INFINITY;
  #isAlive = true;
  #isPaused = false;
  #wallOffsetMs: number;
  #heldTimers: (() => void)[] = [];
  #heldReplies: (() => void)[] = [];
  readonly #onDeath = new Set<() => void>();

  constructor(name: string, time: VirtualTime, { wallOffsetMs, lingersMs }: ProcessOptions) {
    this.name = name;
    this.#time = time;
    this.#bornAtMs = time.nowMs;
    this.#lingersMs = lingersMs;
    this.#wallOffsetMs = wallOffsetMs;
    this.clock = {
      now: () => Math.floor(EPOCH_MS + time.nowMs + this.#wallOffsetMs),
      monotonic: () => time.nowMs - this.#bornAtMs + 1000,
      after: (delayMs, callback) => this.#after(delayMs, callback),
    };
  }

  get isAlive(): boolean {
    return this.#isAlive;
  }

  /** Whether what it has sent may still arrive. */
  get isHeard(): boolean {
    return this.#time.nowMs <= this.#diedAtMs + this.#lingersMs;
  }

  get isPaused(): boolean {
    return this.#isPaused;
  }

  stepWallClock(byMs: number): void {
    this.#wallOffsetMs += byMs;
  }

  /** Calls `reply` in this process: now, when it comes back, or never. */
  deliver(reply: () => void): void {
    if (!this.#isAlive) return;
    if (this.#isPaused) this.#heldReplies.push(reply);
    else reply();
  }

  /** Called once, when it dies, unless the function returned was called before. */
  onDeath(callback: () => void): () => void {
    this.#onDeath.add(callback);
    return () => this.#onDeath.delete(callback);
  }

  kill(): void {
    if (!this.#isAlive) return;
    this.#isAlive = false;
    this.#diedAtMs = this.#time.nowMs;
    this.#heldTimers = [];
    this.#heldReplies = [];
    for (const callback of [...this.#onDeath]) callback();
    this.#onDeath.clear();
  }

  pause(): void {
    this.#isPaused = this.#isAlive;
  }

  resume(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    const held = [...this.#heldTimers.splice(0), ...this.#heldReplies.splice(0)];
    // Each runs as its own step, so that what one of them starts comes to rest before the next.
    for (const callback of held) this.#time.after(0, () => this.deliver(callback));
  }

  #after(delayMs: number, callback: () => void): () => void {
    let isCancelled = false;
    const run = (): void => {
      if (!isCancelled) callback();
    };
    const cancel = this.#time.after(delayMs, () => {
      if (!this.#isAlive) return;
      if (this.#isPaused) this.#heldTimers.push(run);
      else run();
    });
    return () => {
      isCancelled = true;
      cancel();
    };
  }
}
