import type { OperationOptions } from "../contracts/common.ts";
import type { ModelServer } from "../contracts/discovery.ts";
import type { RunQuery } from "../contracts/server-protocol.ts";
import type { TrackedRun, TrackedRunState } from "../contracts/tracking.ts";
import { field, textField } from "./bounded-read.ts";
import type { ControlAnswer, ControlClient } from "./control-client.ts";

/** What MLflow calls the states of a run. */
const RUN_STATES: Readonly<Record<string, TrackedRunState>> = {
  RUNNING: "active",
  SCHEDULED: "active",
  FINISHED: "succeeded",
  FAILED: "failed",
  KILLED: "failed",
};

interface ServerRuns {
  /** Empty when the server is sure that there are none. */
  readonly runs: readonly TrackedRun[] | "unclear";
  readonly instance: string | undefined;
}

interface Asking {
  readonly control: ControlClient;
  readonly controlTimeoutMs: number;
}

/** The runs of a tracking id, as the server tells them: without metrics and params. */
export async function askServerRuns(
  asking: Asking,
  { server, taskId, runId }: RunQuery & { readonly taskId: string },
  options: OperationOptions,
): Promise<ServerRuns> {
  const answer = await ask(asking, server, "/train_eval_info", taskId, options);
  if (answer.kind !== "answered") return { runs: "unclear", instance: undefined };
  const { status, json, instance } = answer;
  // A 404 without the empty list is a server without this route: it says nothing of the run.
  if (status === 404 && Array.isArray(json) && json.length === 0) return { runs: [], instance };
  if (status !== 200 || !Array.isArray(json)) return { runs: "unclear", instance };
  const runs = json.map(runOf).filter((run) => run !== undefined);
  // A list without a run that could be read, or without the one asked for, is no proof that there is none.
  const isUseful = runId === undefined ? runs.length > 0 : runs.some((run) => run.id === runId);
  return { runs: isUseful ? runs : "unclear", instance };
}

/** The last value of each metric of a tracking id; none where the server does not tell. */
export async function askServerMetrics(
  asking: Asking,
  { server, taskId = "" }: RunQuery,
  options: OperationOptions,
): Promise<Readonly<Record<string, number>>> {
  const answer = await ask(asking, server, "/train_eval_metrics", taskId, options);
  if (answer.kind !== "answered" || answer.status !== 200 || !Array.isArray(answer.json)) return {};
  const metrics: Record<string, number> = {};
  for (const run of [...answer.json].reverse()) {
    if (typeof run !== "object" || run === null) continue;
    for (const [name, values] of Object.entries(run as object)) {
      const last: unknown = Array.isArray(values) ? values.at(-1) : undefined;
      if (typeof last === "number") metrics[name] = last;
    }
  }
  return metrics;
}

function ask(
  { control, controlTimeoutMs }: Asking,
  server: ModelServer,
  path: string,
  taskId: string,
  options: OperationOptions,
): Promise<ControlAnswer> {
  const query = { train_eval_id: taskId };
  return control.send({ server, method: "GET", path, query, timeoutMs: controlTimeoutMs }, options);
}

function runOf(told: unknown): TrackedRun | undefined {
  const id = textField(told, "run_id");
  const status = textField(told, "status") ?? "";
  const state = RUN_STATES[status];
  if (id === undefined || state === undefined) return undefined;
  return {
    id,
    state,
    status,
    name: textField(told, "run_name"),
    experimentId: textField(told, "experiment_id") ?? String(field(told, "experiment_id") ?? ""),
    lifecycleStage: textField(told, "lifecycle_stage"),
    startedAtMs: instantField(told, "start_time"),
    endedAtMs: instantField(told, "end_time"),
    artifactUri: textField(told, "artifact_uri"),
    metrics: {},
    params: {},
    tags: textsOf(field(told, "tags")),
  };
}

// An older tracker writes instants as text.
function instantField(told: unknown, name: string): number | undefined {
  const value = field(told, name);
  const atMs = typeof value === "string" && value !== "" ? Number(value) : value;
  return typeof atMs === "number" && Number.isFinite(atMs) && atMs > 0 ? atMs : undefined;
}

function textsOf(tags: unknown): Record<string, string> {
  if (typeof tags !== "object" || tags === null) return {};
  return Object.fromEntries(Object.entries(tags).filter(([, text]) => typeof text === "string"));
}
