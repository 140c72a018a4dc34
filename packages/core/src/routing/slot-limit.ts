/** Bounds of what a server may be given at once. */
const MIN_SLOTS = 1;
const MAX_SLOTS = 64;

/** After a busy answer the limit is not raised for so long at first, twice as long after each further one. */
const FIRST_HOLD_MS = 2_000;
const LONGEST_HOLD_MS = 120_000;
/** Busy answers this close together come from the same burst and lower the limit once. */
const BURST_MS = 250;

/**
 * How many slots a server has: additive increase while it answers and all slots are in use, multiplicative decrease
 * when it says that it is busy. Source of the rule: D.-M. Chiu and R. Jain, "Analysis of the increase and decrease
 * algorithms", 1989. A server's own limit is the ceiling; one that names none begins at the default and may rise.
 */
export class SlotLimit {
  #limit: number;
  #ceiling: number;
  readonly #standard: number;
  /** Where it begins. */
  #usual: number;
  #successes = 0;
  #holdMs = FIRST_HOLD_MS;
  #raiseFromMs = 0;
  #loweredAtMs = Number.NEGATIVE_INFINITY;
  #baselineMs = Number.POSITIVE_INFINITY;
  #latencyMs = 0;

  constructor(declared: number | undefined, standard: number) {
    this.#standard = standard;
    this.#ceiling = Math.min(MAX_SLOTS, declared ?? MAX_SLOTS);
    this.#usual = Math.max(MIN_SLOTS, Math.min(this.#ceiling, declared ?? standard));
    this.#limit = this.#usual;
  }

  get value(): number {
    return this.#limit;
  }

  /** Smoothed duration of its calls, in milliseconds. */
  get latencyMs(): number {
    return this.#latencyMs;
  }

  /** The server now declares another limit. */
  redeclare(declared: number | undefined): void {
    this.#ceiling = Math.min(MAX_SLOTS, declared ?? MAX_SLOTS);
    this.#usual = Math.max(MIN_SLOTS, Math.min(this.#ceiling, declared ?? this.#standard));
    this.#limit = Math.max(MIN_SLOTS, declared === undefined ? this.#limit : this.#ceiling);
  }

  /** A call was answered while `inFlight` were under way, itself included. */
  succeeded(durationMs: number, inFlight: number, nowMs: number): void {
    this.#latencyMs = this.#latencyMs === 0 ? durationMs : this.#latencyMs * 0.9 + durationMs * 0.1;
    // The baseline forgets slowly, so that a server that became slower for good is judged by what it is now.
    this.#baselineMs = Math.min(this.#baselineMs * 1.001, durationMs);
    if (inFlight < this.#limit || nowMs < this.#raiseFromMs || this.#limit >= this.#ceiling) return;
    this.#successes += 1;
    // Where each call waits for the others inside the server, more slots would only move the queue there.
    if (this.#successes < this.#limit || this.#latencyMs > 3 * this.#baselineMs + 5) return;
    this.#successes = 0;
    this.#limit += 1;
  }

  /**
   * It answered something whose duration says nothing of its load: a stream, or some route that does no work. That takes
   * back what was lowered, and raises no more.
   */
  recovered(nowMs: number): void {
    if (this.#limit >= this.#usual || nowMs < this.#raiseFromMs) return;
    this.#successes += 1;
    if (this.#successes < this.#limit) return;
    this.#successes = 0;
    this.#limit += 1;
  }

  /** It answered that it is busy while `inFlight` were under way, this one included. */
  wasBusy(inFlight: number, nowMs: number): void {
    if (nowMs - this.#loweredAtMs < BURST_MS) return;
    this.#loweredAtMs = nowMs;
    this.#successes = 0;
    this.#limit = Math.max(MIN_SLOTS, Math.min(this.#limit - 1, Math.floor(inFlight * 0.8)));
    this.#raiseFromMs = nowMs + this.#holdMs;
    this.#holdMs = Math.min(LONGEST_HOLD_MS, this.#holdMs * 2);
  }
}
