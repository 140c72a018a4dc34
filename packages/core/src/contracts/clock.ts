/**
 * Time as a dependency, so that a simulation can own it. Nothing in the core reads `Date.now`, `performance.now` or
 * a timer of the host directly.
 */
export interface Clock {
  /** Wall-clock time in milliseconds since the epoch. It may step in either direction; never measure with it. */
  now(): number;
  /** Milliseconds that only go forward, from an arbitrary start. Leases are counted with it. */
  monotonic(): number;
  /** Calls `callback` once, `delayMs` from now or later. The function returned cancels it; calling that late is harmless. */
  after(delayMs: number, callback: () => void): () => void;
  /** Calls `callback` once what goes on now has been done, before any timer. Default: `after(0, callback)`. */
  soon?(callback: () => void): void;
  /** Keeps the process alive, which no timer of `after` does, until the function returned is called. */
  hold?(): () => void;
}
