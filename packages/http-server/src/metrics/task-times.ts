/** Tasks whose times are kept; the oldest are given up first. */
const MOST_TASKS = 50_000;

/** What a task that has not ended does. What waits is `pending` in the ledger. */
export type TimedState = "waiting" | "scheduled" | "running";

/** What is known of a task when it goes on. Absent is what was not seen from its begin on. */
interface Passed {
  /** The state that it left, and how long it was in it. */
  readonly state: TimedState;
  readonly stateMs: number | undefined;
  /** Of the first attempt, how long the task waited for it. */
  readonly waitedMs?: number | undefined;
  /** How long the attempt took that is over now. */
  readonly attemptMs?: number | undefined;
  /** Of a task that ended, how long it took from its acceptance on. */
  readonly taskMs?: number | undefined;
}

interface Times {
  submittedMs: number | undefined;
  startedMs: number | undefined;
  hasBegun: boolean;
  state: TimedState;
  stateSinceMs: number | undefined;
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
    const times = this.#of(id);
    times.submittedMs ??= this.#now();
    // A task may begin before it is told that it was accepted.
    if (!times.hasBegun) times.stateSinceMs ??= times.submittedMs;
  }

  started(id: string): Passed {
    const times = this.#of(id);
    const nowMs = this.#now();
    const { hasBegun, submittedMs } = times;
    const waitedMs = hasBegun || submittedMs === undefined ? undefined : nowMs - submittedMs;
    times.startedMs = nowMs;
    times.hasBegun = true;
    return leave(times, "scheduled", nowMs, waitedMs);
  }

  /** The server works on it in the background. */
  running(id: string): Passed {
    return leave(this.#of(id), "running", this.#now());
  }

  /** The task waits again. */
  returned(id: string): Passed {
    const times = this.#of(id);
    const nowMs = this.#now();
    const attemptMs = times.startedMs === undefined ? undefined : nowMs - times.startedMs;
    times.startedMs = undefined;
    times.hasBegun = true;
    return leave(times, "waiting", nowMs, undefined, attemptMs);
  }

  /** `undefined` for a task of which nothing was seen before. */
  ended(id: string): Passed | undefined {
    const times = this.#times.get(id);
    if (times === undefined) return undefined;
    this.#times.delete(id);
    const nowMs = this.#now();
    const { startedMs, submittedMs } = times;
    const attemptMs = startedMs === undefined ? undefined : nowMs - startedMs;
    const taskMs = submittedMs === undefined ? undefined : nowMs - submittedMs;
    return leave(times, times.state, nowMs, undefined, attemptMs, taskMs);
  }

  #of(id: string): Times {
    const known = this.#times.get(id);
    if (known !== undefined) return known;
    const times: Times = {
      submittedMs: undefined,
      startedMs: undefined,
      hasBegun: false,
      state: "waiting",
      stateSinceMs: undefined,
    };
    this.#times.set(id, times);
    if (this.#times.size > MOST_TASKS) this.#times.delete(this.#times.keys().next().value as string);
    return times;
  }
}

/** One literal of always the same shape: this is done for every event of every task. */
function leave(
  times: Times,
  next: TimedState,
  nowMs: number,
  waitedMs?: number,
  attemptMs?: number,
  taskMs?: number,
): Passed {
  const { state, stateSinceMs } = times;
  times.state = next;
  times.stateSinceMs = nowMs;
  const stateMs = stateSinceMs === undefined ? undefined : nowMs - stateSinceMs;
  return { state, stateMs, waitedMs, attemptMs, taskMs };
}
