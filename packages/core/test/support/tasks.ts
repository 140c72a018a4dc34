import { KitRunner } from "../../src/testing/support/kit-runner.ts";

export { newTask, RESULT, returned, succeeded, wantOf as want } from "../../src/testing/support/builders.ts";
export { brief } from "../../src/testing/support/kit-runner.ts";

export const LEASE_MS = 10_000;

/** A runner whose leases end within a test. */
export class TestRunner extends KitRunner {
  override leaseMs: number = LEASE_MS;
}

/** A generator of numbers in [0, 1) that repeats for the same seed (mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
