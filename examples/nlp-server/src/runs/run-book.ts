import { randomBytes } from "node:crypto";
import type { MlflowTracker } from "../tracker/mlflow-tracker.ts";
import { Run } from "./run.ts";

export interface NewRun {
  name: string;
  /** The experiment's name, or its id where it has none of ours. */
  experiment: string | { id: string };
  tags: Readonly<Record<string, string>>;
  params: Readonly<Record<string, string>>;
}

const mostKept = 2_000;

/** Every run that was begun: in memory, and in MLflow where there is one. */
export class RunBook {
  readonly #tracker: MlflowTracker | undefined;
  #runs: Run[] = [];
  #experiments: string[] = [];

  constructor(tracker: MlflowTracker | undefined) {
    this.#tracker = tracker;
  }

  /** Opens a run. Rejects only where MLflow is needed and does not answer. */
  async open({ name, experiment, tags, params }: NewRun): Promise<Run> {
    const startedAt = Date.now();
    const allTags = { "mlflow.runName": name, ...tags };
    const tracked = await this.#tracker?.open({ name, experiment, startedAt, tags: allTags, params });
    const run = tracked ?? this.#inMemory({ name, experiment, tags: allTags, params }, startedAt);
    this.#runs = [...this.#runs, run].slice(-mostKept);
    return run;
  }

  /** Everything known of the runs of this name, the newest first. */
  async find(name: string): Promise<Record<string, unknown>[]> {
    const own = this.#of(name);
    const others = (await this.#tracker?.find(name, new Set(own.map(({ start }) => start.id)))) ?? [];
    return [...own.map((run) => run.info()), ...others.map(({ info }) => info)];
  }

  async metrics(name: string): Promise<Record<string, unknown>[]> {
    const own = this.#of(name);
    const others = (await this.#tracker?.find(name, new Set(own.map(({ start }) => start.id)))) ?? [];
    return [
      ...own.map((run) => run.history()),
      ...(await Promise.all(others.map(({ history }) => history()))),
    ];
  }

  /** Those that this process began, the oldest first. */
  list(): readonly Run[] {
    return this.#runs;
  }

  async written(): Promise<void> {
    await Promise.all(this.#runs.map((run) => run.sink?.written()));
  }

  abandon(): void {
    for (const run of this.#runs) run.sink?.abandon();
  }

  #of(name: string): Run[] {
    return this.#runs.filter((run) => run.start.name === name).reverse();
  }

  #inMemory({ name, experiment, tags, params }: NewRun, startedAt: number): Run {
    const id = randomBytes(16).toString("hex");
    const experimentId = typeof experiment === "string" ? this.#experimentId(experiment) : experiment.id;
    const artifactUri = `memory:/${experimentId}/${id}/artifacts`;
    return new Run({ id, experimentId, name, artifactUri, userId: "nlp-server", startedAt, tags, params });
  }

  #experimentId(name: string): string {
    if (!this.#experiments.includes(name)) this.#experiments.push(name);
    return String(this.#experiments.indexOf(name) + 1);
  }
}
