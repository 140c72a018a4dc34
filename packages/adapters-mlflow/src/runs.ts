import { GatewayError, type RunFilter, type TrackedRun } from "@modelgate/core";
import { type JsonRecord, recordOf, textOf } from "./json-fields.ts";
import { isRunId } from "./model-address.ts";
import type { MlflowSettings } from "./options.ts";
import { pagesOf } from "./pages.ts";
import type { Questions } from "./questions.ts";
import type { RestClient } from "./rest-client.ts";
import { nameFilter, timeFilter } from "./run-filter.ts";
import { trackedRun } from "./tracked-run.ts";
import { unavailable } from "./unavailable.ts";

const API = "/api/2.0/mlflow";
const DEFAULT_LIMIT = 100;
/** Runs come with all their metrics, parameters and tags, so a page of many is a large answer. */
const PAGE = 50;
const EXPERIMENTS_PAGE = 1000;
/** Of a training in a new experiment is heard so much later; whoever found nothing asks again anyway. */
const EXPERIMENTS_MS = 1000;

/** Runs, as the server tells them now. */
export class Runs {
  readonly #settings: MlflowSettings;
  readonly #client: RestClient;
  readonly #questions: Questions;
  /** Names of experiments by id; what was renamed meanwhile is told with the next list. */
  #names: ReadonlyMap<string, string> = new Map();

  constructor(settings: MlflowSettings, client: RestClient, questions: Questions) {
    this.#settings = settings;
    this.#client = client;
    this.#questions = questions;
  }

  async get(runId: string, signal: AbortSignal): Promise<TrackedRun | undefined> {
    const raw = await this.raw(runId, signal);
    const run = raw && this.read(raw);
    if (run === undefined || this.#names.has(run.experimentId)) return run;
    // The run is what was asked for; without the name it is still told.
    await this.experiments(signal).catch(() => {});
    return this.#withName(run);
  }

  /** The same as the server writes it. */
  async raw(runId: string, signal: AbortSignal): Promise<JsonRecord | undefined> {
    if (!isRunId(runId)) return undefined;
    const answer = await this.#client.json({ path: `${API}/runs/get`, query: { run_id: runId }, signal });
    return answer && recordOf(answer["run"]);
  }

  read(raw: JsonRecord): TrackedRun {
    const run = trackedRun(raw, this.#settings.pages);
    if (run === undefined) throw unavailable("answer", this.#settings);
    return this.#withName(run);
  }

  #withName(run: TrackedRun): TrackedRun {
    return { ...run, experimentName: this.#names.get(run.experimentId) };
  }

  /** Those of deleted experiments and deleted ones too: what was started has been started. */
  async find(filter: RunFilter, signal: AbortSignal): Promise<readonly TrackedRun[]> {
    const { name, sinceMs, limit = DEFAULT_LIMIT } = filter;
    if (!Number.isInteger(limit) || limit < 1) {
      const details = { field: "limit" };
      throw new GatewayError("INVALID_REQUEST", `limit must be a number above 0; it is ${limit}`, {
        details,
      });
    }
    const conditions = [
      ...(name === undefined ? [] : [nameFilter(name)]),
      ...(sinceMs === undefined ? [] : [timeFilter(sinceMs)]),
    ];
    if (conditions.includes(undefined)) return [];
    const search = { filter: conditions.join(" and "), name, limit };
    const experiments = await this.experiments(signal);
    const found: TrackedRun[] = [];
    for (let at = 0; at < experiments.length; at += EXPERIMENTS_PAGE) {
      const some = experiments.slice(at, at + EXPERIMENTS_PAGE);
      found.push(...(await this.#search(some, search, signal)));
    }
    return found.sort((one, other) => (other.startedAtMs ?? 0) - (one.startedAtMs ?? 0)).slice(0, limit);
  }

  async #search(
    experiments: readonly string[],
    search: { readonly filter: string; readonly name: string | undefined; readonly limit: number },
    signal: AbortSignal,
  ): Promise<readonly TrackedRun[]> {
    const { filter, name, limit } = search;
    const found: TrackedRun[] = [];
    const body = {
      experiment_ids: experiments,
      filter,
      run_view_type: "ALL",
      max_results: Math.min(limit, PAGE),
      order_by: ["attributes.start_time DESC"],
    };
    const pages = pagesOf(this.#client, "runs", { path: `${API}/runs/search`, body, signal });
    for await (const raw of pages) {
      const run = this.read(raw);
      // A store may compare without regard to case, and a filter cannot quote everything.
      if (name === undefined || run.name === name) found.push(run);
      if (found.length === limit) break;
    }
    return found;
  }

  /** The ids of all experiments. */
  experiments(signal: AbortSignal): Promise<readonly string[]> {
    const question = { key: "experiments", keepMs: () => EXPERIMENTS_MS };
    return this.#questions.ask(question, { signal }, async (shared) => {
      const body = { max_results: EXPERIMENTS_PAGE, view_type: "ALL" };
      const names = new Map<string, string>();
      const request = { path: `${API}/experiments/search`, body, signal: shared };
      const pages = pagesOf(this.#client, "experiments", request);
      for await (const each of pages) {
        const id = textOf(each["experiment_id"]);
        if (id !== undefined) names.set(id, textOf(each["name"]) ?? "");
      }
      this.#names = names;
      return [...names.keys()];
    });
  }
}
