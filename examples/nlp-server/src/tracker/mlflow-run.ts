import { setTimeout as sleep } from "node:timers/promises";
import { type RunSink, type RunStatus, SaveFailed } from "../runs/run.ts";
import { type Json, type MlflowClient, MlflowError } from "./mlflow-client.ts";
import { mlmodelOf } from "./mlmodel.ts";

/** What MLflow takes in one batch. */
const mostMetrics = 1_000;
const mostOthers = 100;
const longestTag = 5_000;
const longestParam = 500;
/** Between two tries while MLflow is away, and for how long they go on. */
const againMs = 1_000;
const giveUpMs = 600_000;

export interface TrackedModel {
  /** The name under which models are registered. */
  name: string;
  type: string;
}

interface Pair extends Json {
  key: string;
  value: string;
}

/**
 * Writes one run to MLflow: what comes close together in one batch, all of it in order. While MLflow is away it is
 * kept and tried again, so that a run has its end also when MLflow was restarted in between.
 */
export class MlflowRun implements RunSink {
  readonly #client: MlflowClient;
  readonly #runId: string;
  readonly #artifactUri: string;
  readonly #model: TrackedModel;
  readonly #gone = new AbortController();
  #metrics: Json[] = [];
  #tags: Pair[] = [];
  #params: Pair[] = [];
  #isScheduled = false;
  #writing: Promise<void> = Promise.resolve();

  constructor(client: MlflowClient, runId: string, artifactUri: string, model: TrackedModel) {
    this.#client = client;
    this.#runId = runId;
    this.#artifactUri = artifactUri;
    this.#model = model;
  }

  tag(key: string, value: string): void {
    this.#tags.push({ key, value: value.slice(0, longestTag) });
    this.#schedule();
  }

  param(key: string, value: string): void {
    this.#params.push({ key, value: value.slice(0, longestParam) });
    this.#schedule();
  }

  metric(key: string, value: number, step: number): void {
    this.#metrics.push({ key, value, step, timestamp: Date.now() });
    this.#schedule();
  }

  async saveModel(file: string): Promise<void> {
    try {
      await this.#saveModel(file);
    } catch (error) {
      throw error instanceof MlflowError ? new SaveFailed(error.message) : error;
    }
  }

  /** Puts the model and its description among the artifacts, and registers a version of it. */
  async #saveModel(file: string): Promise<void> {
    const { name, type } = this.#model;
    const source = `${this.#artifactUri}/model`;
    await this.#client.putArtifact(this.#artifactUri, "model/model.json", file);
    await this.#client.putArtifact(this.#artifactUri, "model/MLmodel", mlmodelOf(this.#runId));
    try {
      await this.#client.post("registered-models/create", { name });
    } catch (error) {
      if (!(error instanceof MlflowError && error.code === "RESOURCE_ALREADY_EXISTS")) throw error;
    }
    const tags = [
      { key: "model_type", value: type },
      { key: "validation_status", value: "pending" },
    ];
    const created = await this.#client.post("model-versions/create", {
      name,
      source,
      run_id: this.#runId,
      tags,
    });
    const version = String((created["model_version"] as Json | undefined)?.["version"]);
    const model_uri = { key: "model_uri", value: `models:/${name}/${version}` };
    await this.#client.post("model-versions/set-tag", { name, version, ...model_uri });
  }

  end(status: RunStatus, endedAt: number): void {
    this.#write(async () => {
      await this.#client.post("runs/update", { run_id: this.#runId, status, end_time: endedAt });
    });
  }

  written(): Promise<void> {
    return this.#writing;
  }

  abandon(): void {
    this.#gone.abort();
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    this.#write(async () => {
      await sleep(5);
      await this.#flush();
    });
  }

  /** One write after the other; one that fails because MLflow is away is tried again. */
  #write(task: () => Promise<void>): void {
    const write = async (): Promise<void> => {
      const deadline = Date.now() + giveUpMs;
      while (!this.#gone.signal.aborted) {
        try {
          return await task();
        } catch (error) {
          const isPassing = error instanceof MlflowError && error.isPassing;
          if (!isPassing || Date.now() > deadline) return;
          await sleep(againMs, undefined, { signal: this.#gone.signal, ref: false }).catch(() => {});
        }
      }
    };
    this.#writing = this.#writing.then(write);
  }

  async #flush(): Promise<void> {
    this.#isScheduled = false;
    while (this.#metrics.length + this.#tags.length + this.#params.length > 0) {
      if (this.#gone.signal.aborted) return;
      const tags = this.#tags.slice(0, mostOthers);
      const params = this.#params.slice(0, mostOthers);
      const metrics = this.#metrics.slice(0, mostMetrics - tags.length - params.length);
      try {
        await this.#client.post("runs/log-batch", { run_id: this.#runId, metrics, params, tags });
      } catch (error) {
        // What MLflow refuses it would refuse again.
        if (!(error instanceof MlflowError) || error.isPassing) throw error;
      }
      this.#tags = this.#tags.slice(tags.length);
      this.#params = this.#params.slice(params.length);
      this.#metrics = this.#metrics.slice(metrics.length);
    }
  }
}
