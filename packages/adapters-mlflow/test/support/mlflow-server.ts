import { randomUUID } from "node:crypto";
import type { JsonRecord } from "../../src/json-fields.ts";

/** What a run is logged with. */
export interface LoggedRun {
  readonly experiment?: string | undefined;
  readonly name?: string | undefined;
  readonly startedAtMs?: number | undefined;
  readonly metrics?: Readonly<Record<string, number>> | undefined;
  readonly params?: Readonly<Record<string, string>> | undefined;
  readonly tags?: Readonly<Record<string, string>> | undefined;
}

interface Pair {
  readonly key: string;
  readonly value: unknown;
}

/** The real server, as whoever trains models speaks to it. */
export class MlflowServer {
  readonly url: string;
  readonly #headers: Readonly<Record<string, string>>;

  constructor(url: string, headers: Readonly<Record<string, string>> = {}) {
    this.url = url;
    this.#headers = headers;
  }

  async version(): Promise<string> {
    return await (await fetch(`${this.url}/version`)).text();
  }

  async post(path: string, body: JsonRecord): Promise<JsonRecord> {
    return await this.#send("POST", `/api/2.0/mlflow/${path}`, JSON.stringify(body), "application/json");
  }

  async experiment(name: string = `e-${randomUUID()}`): Promise<string> {
    return String((await this.post("experiments/create", { name }))["experiment_id"]);
  }

  /** Resolves its id. */
  async run(options: LoggedRun = {}): Promise<string> {
    const { experiment = await this.experiment(), name, startedAtMs = Date.now() } = options;
    const { metrics = {}, params = {}, tags = {} } = options;
    const body = { experiment_id: experiment, run_name: name, start_time: startedAtMs };
    const { run } = (await this.post("runs/create", body)) as { readonly run: { readonly info: JsonRecord } };
    const id = String(run.info["run_id"]);
    const logged = {
      metrics: pairs(metrics, jsonDouble).map((each) => ({ ...each, timestamp: startedAtMs, step: 0 })),
      params: pairs(params, (value) => value),
      tags: pairs(tags, (value) => value),
    };
    if (Object.values(logged).some(({ length }) => length > 0)) {
      await this.post("runs/log-batch", { run_id: id, ...logged });
    }
    return id;
  }

  async end(
    runId: string,
    status: "FINISHED" | "FAILED" | "KILLED",
    endedAtMs: number = Date.now(),
  ): Promise<void> {
    await this.post("runs/update", { run_id: runId, status, end_time: endedAtMs });
  }

  /** Writes a file of a run, as a client does to whom artifacts are handed out by the server. */
  async write(root: string, path: string, text: string): Promise<void> {
    const folder = root.replace(/^mlflow-artifacts:\/*/, "");
    await this.#send("PUT", `/api/2.0/mlflow-artifacts/artifacts/${folder}/${path}`, text, "text/plain");
  }

  /** Where the artifacts of a run begin. */
  async rootOf(runId: string): Promise<string> {
    const answer = await this.#send("GET", `/api/2.0/mlflow/runs/get?run_id=${runId}`);
    return String((answer as { readonly run: { readonly info: JsonRecord } }).run.info["artifact_uri"]);
  }

  /** Resolves the number of the version. */
  async register(
    name: string,
    source: string,
    made: { readonly runId?: string; readonly modelId?: string; readonly tags?: LoggedRun["tags"] } = {},
  ): Promise<string> {
    await this.post("registered-models/create", { name }).catch(() => {});
    const tags = pairs(made.tags ?? {}, (value) => value);
    const body = { name, source, run_id: made.runId, model_id: made.modelId, tags };
    const { model_version } = (await this.post("model-versions/create", body)) as {
      readonly model_version: JsonRecord;
    };
    return String(model_version["version"]);
  }

  async #send(method: string, path: string, body?: string, type?: string): Promise<JsonRecord> {
    const headers = { ...this.#headers, ...(type !== undefined && { "content-type": type }) };
    const response = await fetch(`${this.url}${path}`, {
      method,
      headers,
      ...(body !== undefined && { body }),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path} answered ${response.status}: ${text}`);
    return text === "" ? {} : (JSON.parse(text) as JsonRecord);
  }
}

/** The document that a client writes beside a model. */
export function mlModel(runId: string, more: string = ""): string {
  return `artifact_path: model
flavors:
  python_function:
    loader_module: mlflow.pyfunc.model
    python_version: 3.11.7
    code: null
mlflow_version: 2.22.5
model_uuid: uuid-of-${runId}
run_id: ${runId}
signature:
  inputs: '[{"type": "string", "required": true}]'
  outputs: '[{"type": "string", "required": true}]'
  params: null
utc_time_created: '2024-01-02 03:04:05.678901'
${more}`;
}

function pairs<T>(values: Readonly<Record<string, T>>, write: (value: T) => unknown): readonly Pair[] {
  return Object.entries(values).map(([key, value]) => ({ key, value: write(value) }));
}

function jsonDouble(value: number): number | string {
  return Number.isFinite(value) ? value : String(value);
}
