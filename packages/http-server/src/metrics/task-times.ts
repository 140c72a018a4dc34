/** Tasks whose times are kept; the oldest are given up first. */
const MOST_TASKS = 50_000;

interface Times {
  submittedMs: number | undefined;
  startedMs: number | undefined;
  hasBegun: boolean;
}

/**
 * When tasks of this process were accepted and begun, by the monotonic clock. Tasks that another process accepted, or
 * that ended elsewhere, have no duration here.
 */
export class TaskTimes {
  readonly #now: () => number;
  readonly #times = new Map<string, Times>();

  constructor(now: () => number) {
    this.#now = now;
  }

  submitted(id: string): void {
    this.#of(id).submittedMs ??= this.#now();
  }

  /** How long the task waited for this, its first attempt; `undefined` for a later one, and where that is not known. */
  started(id: string): number | undefined {
    const times = this.#of(id);
    const nowMs = this.#now();
    const waitedMs =
      times.hasBegun || times.submittedMs === undefined ? undefined : nowMs - times.submittedMs;
    times.startedMs = nowMs;
    times.hasBegun = true;
    return waitedMs;
  }

  /** How long the attempt took that is over now. */
  returned(id: string): number | undefined {
    const times = this.#times.get(id);
    if (times?.startedMs === undefined) return undefined;
    const durationMs = this.#now() - times.startedMs;
    times.startedMs = undefined;
    return durationMs;
  }

  /** How long the last attempt, and the task from its acceptance on, took. */
  ended(id: string): { readonly attemptMs?: number | undefined; readonly taskMs?: number | undefined } {
    const times = this.#times.get(id);
    if (times === undefined) return {};
    this.#times.delete(id);
    const nowMs = this.#now();
    const { startedMs, submittedMs } = times;
    return {
      attemptMs: startedMs === undefined ? undefined : nowMs - startedMs,
      taskMs: submittedMs === undefined ? undefined : nowMs - submittedMs,
    };
  }

  #of(id: string): Times {
    const known = this.#times.get(id);
    if (known !== undefined) return known;
    const times: Times = { submittedMs: undefined, startedMs: undefined, hasBegun: false };
    this.#times.set(id, times);
    if (this.#times.size > MOST_TASKS) this.#times.delete(this.#times.keys().next().value as string);
    return times;
  }
}
