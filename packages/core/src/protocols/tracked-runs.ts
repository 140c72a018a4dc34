import type { Clock } from "../contracts/clock.ts";
import type { OperationOptions } from "../contracts/common.ts";
import type { TrackedRun, Tracking } from "../contracts/tracking.ts";

/** What a tracker was asked; `unclear` when it did not answer, or not in time. */
export type Told<T> = T | "unclear";

/** More runs than this are not looked through. */
const MOST_RUNS = 1000;
/** A listing is asked for again after this, or after so many times as long as it took. */
const LEAST_AGE_MS = 500;
const LONGEST_AGE_MS = 10_000;
const AGE_PER_COST = 10;

interface Listing {
  readonly sinceMs: number;
  readonly beganMs: number;
  tookMs: number;
  readonly runs: Promise<Told<readonly TrackedRun[]>>;
}

/** Asks a tracker about runs, each time within a limit. Never rejects because of the tracker. */
export class TrackedRuns {
  readonly #tracking: Tracking;
  readonly #clock: Clock;
  readonly #timeoutMs: number;
  /** Everybody who watches a training looks at the same runs. */
  #listing: Listing | undefined;

  constructor(tracking: Tracking, clock: Clock, timeoutMs: number) {
    this.#tracking = tracking;
    this.#clock = clock;
    this.#timeoutMs = timeoutMs;
  }

  /** The run with this id, or `undefined` when there is none. */
  byId(runId: string): Promise<Told<TrackedRun | undefined>> {
    return this.#ask((options) => this.#tracking.run(runId, options));
  }

  /** The runs with this name, the newest first. */
  named(name: string): Promise<Told<readonly TrackedRun[]>> {
    return this.#ask((options) => this.#tracking.findRuns({ name }, options));
  }

  /**
   * All runs that began at `sinceMs` or later: as they are now, or as they were a moment ago if that `mayBeOld`.
   * `unclear` also when there are too many.
   */
  async since(sinceMs: number, mayBeOld: boolean): Promise<Told<readonly TrackedRun[]>> {
    const nowMs = this.#clock.monotonic();
    const last = this.#listing;
    const ageMs = last === undefined ? Number.POSITIVE_INFINITY : nowMs - last.beganMs;
    const goodForMs = Math.min(LONGEST_AGE_MS, Math.max(LEAST_AGE_MS, AGE_PER_COST * (last?.tookMs ?? 0)));
    if (last !== undefined && mayBeOld && last.sinceMs <= sinceMs && ageMs < goodForMs)
      return await last.runs;
    // As far back as the one before, so that those who take turns do not ask for each in turn.
    const from = last !== undefined && ageMs < LONGEST_AGE_MS ? Math.min(last.sinceMs, sinceMs) : sinceMs;
    const asking = this.#ask((options) =>
      this.#tracking.findRuns({ sinceMs: Math.floor(from), limit: MOST_RUNS }, options),
    );
    const runs = asking.then((found) =>
      found !== "unclear" && found.length >= MOST_RUNS ? ("unclear" as const) : found,
    );
    const listing: Listing = { sinceMs: from, beganMs: nowMs, tookMs: 0, runs };
    this.#listing = listing;
    const found = await runs;
    listing.tookMs = this.#clock.monotonic() - nowMs;
    if (found === "unclear" && this.#listing === listing) this.#listing = undefined;
    return found;
  }

  #ask<T>(question: (options: OperationOptions) => Promise<T>): Promise<Told<T>> {
    const controller = new AbortController();
    return new Promise((resolve) => {
      const cancel = this.#clock.after(this.#timeoutMs, () => {
        resolve("unclear");
        controller.abort(new Error(`the tracker did not answer within ${this.#timeoutMs} ms`));
      });
      const end = (told: Told<T>): void => {
        cancel();
        resolve(told);
      };
      question({ signal: controller.signal }).then(end, () => end("unclear"));
    });
  }
}
