import { hostname } from "node:os";
import { message, Refusal } from "../http/answer.ts";
import { conceptsOf, Run } from "../runs/run.ts";
import type { NewRun } from "../runs/run-book.ts";
import { type Json, MlflowClient, MlflowError, type MlflowOptions } from "./mlflow-client.ts";
import { MlflowRun, type TrackedModel } from "./mlflow-run.ts";

/** A run that another process began, as MLflow has it. */
export interface ForeignRun {
  info: Record<string, unknown>;
  history(): Promise<Record<string, unknown>>;
}

/** How long listings do without MLflow after it did not answer. */
const pauseMs = 10_000;

/** Runs in MLflow, for those who open and look for them. */
export class MlflowTracker {
  readonly #client: MlflowClient;
  readonly #model: TrackedModel;
  readonly #isRequired: boolean;
  readonly #experiments = new Map<string, Promise<string>>();
  #pausedUntil = 0;

  constructor(options: MlflowOptions, model: TrackedModel) {
    this.#client = new MlflowClient(options);
    this.#model = model;
    this.#isRequired = options.isRequired ?? false;
  }

  /** Opens a run in MLflow; nothing when MLflow is away and can be done without. */
  async open({
    name,
    experiment,
    startedAt,
    tags,
    params,
  }: NewRun & { startedAt: number }): Promise<Run | undefined> {
    try {
      const experimentId =
        typeof experiment === "string" ? await this.#experimentId(experiment) : experiment.id;
      const allTags = { "mlflow.source.name": hostname(), ...tags };
      const { run } = (await this.#client.post("runs/create", {
        experiment_id: experimentId,
        run_name: name,
        start_time: startedAt,
        tags: Object.entries(allTags).map(([key, value]) => ({ key, value })),
      })) as { run: { info: Record<string, string> } };
      const { run_id: id = "", artifact_uri: artifactUri = "", user_id: userId = "" } = run.info;
      const sink = new MlflowRun(this.#client, id, artifactUri, this.#model);
      const start = { id, experimentId, name, artifactUri, userId, startedAt, tags: allTags, params };
      for (const [key, value] of Object.entries(params)) sink.param(key, value);
      return new Run(start, sink);
    } catch (error) {
      if (!(error instanceof MlflowError)) throw error;
      console.error(`${error.message} The run is kept in memory only.`);
      if (this.#isRequired) throw new Refusal(message(500, "Cannot start a new training"));
      return undefined;
    }
  }

  /** The runs of this name but those that are `known`; none while MLflow does not answer. */
  async find(name: string, known: ReadonlySet<string>): Promise<ForeignRun[]> {
    if (Date.now() < this.#pausedUntil) return [];
    try {
      const experiments = await this.#client.post("experiments/search", { max_results: 1_000 });
      const ids = ((experiments["experiments"] ?? []) as Json[]).map((each) => each["experiment_id"]);
      const found = await this.#client.post("runs/search", {
        experiment_ids: ids,
        filter: `tags.mlflow.runName = '${name.replaceAll("'", "")}'`,
        max_results: 100,
      });
      return ((found["runs"] ?? []) as Json[])
        .map((run) => this.#foreign(run))
        .filter(({ info }) => !known.has(String(info["run_id"])));
    } catch {
      this.#pausedUntil = Date.now() + pauseMs;
      return [];
    }
  }

  #foreign(run: Json): ForeignRun {
    const info = run["info"] as Json;
    const { tags = [], metrics = [], params = [] } = run["data"] as Record<string, Json[]>;
    const record = (pairs: Json[]): Json => Object.fromEntries(pairs.map(({ key, value }) => [key, value]));
    const history = async (): Promise<Json> => {
      const values: Json = {};
      for (const { key } of metrics) {
        const query = { run_id: String(info["run_id"]), metric_key: String(key) };
        const { metrics: all = [] } = await this.#client.get("metrics/get-history", query);
        values[String(key)] = (all as Json[]).map(({ value }) => value);
      }
      return {
        ...values,
        concepts: conceptsOf(new Map(Object.entries(record(tags) as Record<string, string>))),
      };
    };
    return {
      info: {
        end_time: null,
        ...info,
        tags: record(tags),
        params: record(params),
        metrics: record(metrics),
      },
      history: () => history().catch(() => ({ concepts: [] })),
    };
  }

  #experimentId(name: string): Promise<string> {
    const known = this.#experiments.get(name);
    if (known) return known;
    const asked = this.#askExperimentId(name);
    this.#experiments.set(name, asked);
    asked.catch(() => this.#experiments.delete(name));
    return asked;
  }

  async #askExperimentId(name: string): Promise<string> {
    const idIn = (answer: Json): string =>
      String((answer["experiment"] as Json | undefined)?.["experiment_id"] ?? answer["experiment_id"]);
    try {
      return idIn(await this.#client.get("experiments/get-by-name", { experiment_name: name }));
    } catch (error) {
      if (!(error instanceof MlflowError && error.code === "RESOURCE_DOES_NOT_EXIST")) throw error;
    }
    try {
      return idIn(await this.#client.post("experiments/create", { name }));
    } catch (error) {
      // Another server was faster.
      if (!(error instanceof MlflowError && error.code === "RESOURCE_ALREADY_EXISTS")) throw error;
      return idIn(await this.#client.get("experiments/get-by-name", { experiment_name: name }));
    }
  }
}
