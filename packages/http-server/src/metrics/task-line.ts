import { METRICS, WAIT_BUCKETS, WORK_BUCKETS } from "./metric-table.ts";
import { type Count, Counts, type Durations, type Family, Histogram } from "./series.ts";

/** What is counted of tasks, by model and operation. */
export class TaskSeries {
  readonly submitted: Counts = new Counts(METRICS.submitted);
  readonly started: Counts = new Counts(METRICS.started);
  readonly returned: Counts = new Counts(METRICS.returned);
  readonly ended: Counts = new Counts(METRICS.ended);
  readonly attempts: Histogram = new Histogram(METRICS.attemptSeconds, WORK_BUCKETS);
  readonly waits: Histogram = new Histogram(METRICS.waitSeconds, WAIT_BUCKETS);
  readonly tasks: Histogram = new Histogram(METRICS.taskSeconds, WAIT_BUCKETS);

  families(): readonly Family[] {
    const { submitted, started, returned, ended, attempts, waits, tasks } = this;
    return [submitted, started, returned, ended, attempts, waits, tasks].map((metric) => metric.family());
  }
}

interface Ending {
  readonly byCode: Map<string, Count>;
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
    if (attemptMs !== undefined) this.#series.attempts.at(...this.#labels, "returned").add(attemptMs);
  }

  ended(state: string, code: string, attemptMs: number | undefined, taskMs: number | undefined): void {
    let ending = this.#endings.get(state);
    if (ending === undefined) {
      const { attempts, tasks } = this.#series;
      const labels = [...this.#labels, state];
      ending = { byCode: new Map(), attempts: attempts.at(...labels), tasks: tasks.at(...labels) };
      this.#endings.set(state, ending);
    }
    let count = ending.byCode.get(code);
    if (count === undefined) {
      count = this.#series.ended.at(...this.#labels, state, code);
      ending.byCode.set(code, count);
    }
    count.value += 1;
    if (attemptMs !== undefined) ending.attempts.add(attemptMs);
    if (taskMs !== undefined) ending.tasks.add(taskMs);
  }
}
