export type RunStatus = "RUNNING" | "FINISHED" | "FAILED" | "KILLED";

/** The ids by which a caller knows a run. */
export interface RunIds {
  experiment_id: string;
  run_id: string;
}

/** Where a run is written down beside the memory of this process. None of its methods fails or waits. */
export interface RunSink {
  tag(name: string, value: string): void;
  param(name: string, value: string): void;
  metric(name: string, value: number, step: number): void;
  /** Keeps a model with the run; rejects with `SaveFailed` when it cannot. */
  saveModel(file: string): Promise<void>;
  end(status: RunStatus, endedAt: number): void;
  /** Resolves when all is written, or when it is given up. */
  written(): Promise<void>;
  /** Writes nothing more, as if the process had died. */
  abandon(): void;
}

/** Its message quotes nothing of a note. */
export class SaveFailed extends Error {
  constructor(reason: string) {
    super(`The model could not be saved: ${reason}`);
    this.name = "SaveFailed";
  }
}

export interface RunStart {
  id: string;
  experimentId: string;
  name: string;
  artifactUri: string;
  userId: string;
  startedAt: number;
  tags: Readonly<Record<string, string>>;
  params: Readonly<Record<string, string>>;
}

/** One run as this process knows it. */
export class Run {
  readonly start: RunStart;
  readonly tags: Map<string, string>;
  readonly params: Map<string, string>;
  readonly metrics: Map<string, number[]> = new Map();
  readonly sink: RunSink | undefined;
  status: RunStatus = "RUNNING";
  endedAt: number | null = null;

  constructor(start: RunStart, sink?: RunSink) {
    this.start = start;
    this.sink = sink;
    this.tags = new Map(Object.entries(start.tags));
    this.params = new Map(Object.entries(start.params));
  }

  get ids(): RunIds {
    return { experiment_id: this.start.experimentId, run_id: this.start.id };
  }

  tag(name: string, value: string): void {
    this.tags.set(name, value);
    this.sink?.tag(name, value);
  }

  param(name: string, value: string): void {
    this.params.set(name, value);
    this.sink?.param(name, value);
  }

  metric(name: string, value: number, step?: number): void {
    const values = this.metrics.get(name) ?? [];
    this.metrics.set(name, values);
    this.sink?.metric(name, value, step ?? values.length);
    values.push(value);
  }

  end(status: RunStatus): void {
    if (this.status !== "RUNNING") return;
    this.status = status;
    this.endedAt = Date.now();
    this.sink?.end(status, this.endedAt);
  }

  /** As `/train_eval_info` gives it; beyond CMS also the parameters and the last value of each metric. */
  info(): Record<string, unknown> {
    const { artifactUri, name, id, startedAt, userId } = this.start;
    return {
      artifact_uri: artifactUri,
      end_time: this.endedAt,
      ...this.ids,
      lifecycle_stage: "active",
      run_name: name,
      run_uuid: id,
      start_time: startedAt,
      status: this.status,
      user_id: userId,
      tags: Object.fromEntries(this.tags),
      params: Object.fromEntries(this.params),
      metrics: Object.fromEntries([...this.metrics].map(([metric, values]) => [metric, values.at(-1)])),
    };
  }

  /** As `/train_eval_metrics` gives it: all values of each metric. */
  history(): Record<string, unknown> {
    return { ...Object.fromEntries(this.metrics), concepts: conceptsOf(this.tags) };
  }
}

export function conceptsOf(tags: ReadonlyMap<string, string>): unknown {
  try {
    return JSON.parse(tags.get("training.entity.classes") ?? "[]") as unknown;
  } catch {
    return [];
  }
}
