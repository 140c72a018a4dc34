import { METRICS, WAIT_BUCKETS, WORK_BUCKETS } from "./metric-table.ts";
import { type Count, Counts, type Durations, type Family, Histogram } from "./series.ts";
import type { TimedState } from "./task-times.ts";

/** What is counted of tasks, by model and operation. */
export class TaskSeries {
  readonly submitted: Counts = new Counts(METRICS.submitted);
  readonly started: Counts = new Counts(METRICS.started);
  readonly returned: Counts = new Counts(METRICS.returned);
  readonly ended: Counts = new Counts(METRICS.ended);
  readonly attempts: Histogram = new Histogram(METRICS.attemptSeconds, WORK_BUCKETS);
  readonly waits: Histogram = new Histogram(METRICS.waitSeconds, WAIT_BUCKETS);
  readonly tasks: Histogram = new Histogram(METRICS.taskSeconds, WAIT_BUCKETS);
  readonly states: Histogram = new Histogram(METRICS.stateSeconds, WAIT_BUCKETS);
  readonly causes: Counts = new Counts(METRICS.attemptsEnded);

  families(): readonly Family[] {
    const { submitted, started, returned, ended, attempts, waits, tasks, states, causes } = this;
    const all = [submitted, started, returned, ended, attempts, waits, tasks, states, causes];
    return all.map((metric) => metric.family());
  }
}

interface Ending {
  readonly byCode: Map<string, { readonly tasks: Count; readonly attempts: Count }>;
  readonly attempts: Durations;
  readonly tasks: Durations;
}

/** The series of one model and operation, kept at hand: an event costs a few looks into small maps. */
export class TaskLine {
  readonly submitted: Count;
  readonly #series: TaskSeries;
  readonly #labels: readonly [model: string, operation: string];
  #started: Count | undefined;
  #waits: Durations | undefined;
  readonly #endings = new Map<string, Ending>();
  readonly #states: Partial<Record<TimedState, Durations>> = {};

  constructor(series: TaskSeries, model: string, operation: string) {
    this.#series = series;
    this.#labels = [model, operation];
    this.submitted = series.submitted.at(model, operation);
    // Where nothing was handed back, a sum should be 0, and not be missing.
    series.returned.at(model, operation, "false", "none");
  }

  get started(): Count {
    this.#started ??= this.#series.started.at(...this.#labels);
    return this.#started;
  }

  get waits(): Durations {
    this.#waits ??= this.#series.waits.at(...this.#labels);
    return this.#waits;
  }

  /** Rare enough to be looked up each time. */
  returned(counts: boolean, code: string, attemptMs: number | undefined): void {
    this.#series.returned.at(...this.#labels, String(counts), code).value += 1;
    if (attemptMs === undefined) return;
    this.#series.attempts.at(...this.#labels, "returned").add(attemptMs);
    this.#series.causes.at(this.#labels[0], "returned", code).value += 1;
  }

  left({ state, stateMs }: { readonly state: TimedState; readonly stateMs: number | undefined }): void {
    if (stateMs === undefined) return;
    let durations = this.#states[state];
    if (durations === undefined) {
      durations = this.#series.states.at(this.#labels[0], state);
      this.#states[state] = durations;
    }
    durations.add(stateMs);
  }

  ended(state: string, code: string, attemptMs: number | undefined, taskMs: number | undefined): void {
    let ending = this.#endings.get(state);
    if (ending === undefined) {
      const { attempts, tasks } = this.#series;
      const labels = [...this.#labels, state];
      ending = { byCode: new Map(), attempts: attempts.at(...labels), tasks: tasks.at(...labels) };
      this.#endings.set(state, ending);
    }
    let counts = ending.byCode.get(code);
    if (counts === undefined) {
      const { ended, causes } = this.#series;
      const tasks = ended.at(...this.#labels, state, code);
      counts = { tasks, attempts: causes.at(this.#labels[0], state, code) };
      ending.byCode.set(code, counts);
    }
    counts.tasks.value += 1;
    if (attemptMs !== undefined) {
      ending.attempts.add(attemptMs);
      counts.attempts.value += 1;
    }
    if (taskMs !== undefined) ending.tasks.add(taskMs);
  }
}
