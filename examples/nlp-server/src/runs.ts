import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { Refusal } from "./http/answer.ts";

type RunStatus = "RUNNING" | "FINISHED" | "FAILED" | "KILLED";

/** What a run learns, for `/train_eval_info` and `/train_eval_metrics`. */
export interface RunLog {
  tag(name: string, value: string): void;
  /** Adds the next value of a metric. */
  metric(name: string, value: number): void;
}

export interface RunRequest {
  trackingId: string;
  experiment: string;
  tags: Readonly<Record<string, string>>;
  work(log: RunLog, signal: AbortSignal): Promise<void>;
}

interface Run {
  id: string;
  experimentId: string;
  trackingId: string;
  status: RunStatus;
  startedAt: number;
  endedAt: number | null;
  tags: Map<string, string>;
  metrics: Map<string, number[]>;
  cancel: AbortController;
}

/** The ids by which a caller knows a run. */
export interface RunIds {
  experiment_id: string;
  run_id: string;
}

const mostKept = 1_000;

/**
 * Trainings and evaluations: work that goes on after its request was answered. One at a time; the next is refused and
 * told which. Runs are known by their tracking id, and are forgotten with the process.
 */
export class Runs {
  readonly #leastMs: number;
  #runs: Run[] = [];
  #experiments: string[] = [];
  #active: Run | undefined;

  /** No run takes less than `leastMs`, so that there is time to watch or cancel one. */
  constructor(leastMs: number) {
    this.#leastMs = leastMs;
  }

  begin({ trackingId, experiment, tags, work }: RunRequest): { accepted: boolean; ids: RunIds } {
    if (this.#active) return { accepted: false, ids: idsOf(this.#active) };
    const run: Run = {
      id: randomBytes(16).toString("hex"),
      experimentId: this.#experimentId(experiment),
      trackingId,
      status: "RUNNING",
      startedAt: Date.now(),
      endedAt: null,
      tags: new Map(Object.entries({ "mlflow.runName": trackingId, ...tags })),
      metrics: new Map(),
      cancel: new AbortController(),
    };
    // It stays the active one until its work has really ended, also after a cancel.
    this.#active = run;
    this.#runs = [...this.#runs, run].slice(-mostKept);
    void this.#run(run, work);
    return { accepted: true, ids: idsOf(run) };
  }

  /** Everything known of the runs of this tracking id, newest first. */
  find(trackingId: string): Record<string, unknown>[] {
    return this.#of(trackingId).map((run) => ({
      artifact_uri: `memory:/${run.experimentId}/${run.id}/artifacts`,
      end_time: run.endedAt,
      ...idsOf(run),
      lifecycle_stage: "active",
      run_name: run.trackingId,
      run_uuid: run.id,
      start_time: run.startedAt,
      status: run.status,
      user_id: "nlp-server",
      tags: Object.fromEntries(run.tags),
      metrics: Object.fromEntries([...run.metrics].map(([name, values]) => [name, values.at(-1)])),
    }));
  }

  metrics(trackingId: string): Record<string, unknown>[] {
    return this.#of(trackingId).map((run) => ({
      ...Object.fromEntries(run.metrics),
      concepts: JSON.parse(run.tags.get("training.entity.classes") ?? "[]") as unknown,
    }));
  }

  /** Stops what runs; tells whether there was anything. */
  cancel(): boolean {
    this.#active?.cancel.abort();
    return this.#active !== undefined;
  }

  async #run(run: Run, work: RunRequest["work"]): Promise<void> {
    const { signal } = run.cancel;
    const log: RunLog = {
      tag: (name, value) => run.tags.set(name, value),
      metric: (name, value) => {
        const values = run.metrics.get(name);
        if (values) values.push(value);
        else run.metrics.set(name, [value]);
      },
    };
    const [worked, waited] = await Promise.allSettled([
      work(log, signal),
      sleep(this.#leastMs, undefined, { signal }),
    ]);
    if (worked.status === "rejected" && !isAbort(worked.reason)) {
      run.status = "FAILED";
      run.tags.set("exception", sentenceOf(worked.reason));
    } else {
      run.status = worked.status === "rejected" || waited.status === "rejected" ? "KILLED" : "FINISHED";
    }
    run.endedAt = Date.now();
    this.#active = undefined;
  }

  #of(trackingId: string): Run[] {
    return this.#runs.filter((run) => run.trackingId === trackingId).reverse();
  }

  #experimentId(name: string): string {
    if (!this.#experiments.includes(name)) this.#experiments.push(name);
    return String(this.#experiments.indexOf(name) + 1);
  }
}

function idsOf(run: Run): RunIds {
  return { experiment_id: run.experimentId, run_id: run.id };
}

function isAbort(error: unknown): boolean {
  return error instanceof Error && error.name === "AbortError";
}

/** What a refusal says is made for callers; any other error may quote a note, so only its name is told. */
function sentenceOf(error: unknown): string {
  if (error instanceof Refusal && typeof error.answer.body === "string") {
    return (JSON.parse(error.answer.body) as { message?: string }).message ?? "The export is not valid.";
  }
  return error instanceof Error ? error.name : typeof error;
}
