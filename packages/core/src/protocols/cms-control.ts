import type { OperationOptions } from "../contracts/common.ts";
import type { ModelServer } from "../contracts/discovery.ts";
import type { ProbeReport, RunQuery, RunReport, ServerAnswer } from "../contracts/server-protocol.ts";
import { abortOf } from "../late-abort.ts";
import { answerOf } from "./answered.ts";
import { field, textField } from "./bounded-read.ts";
import type { ControlAnswer, ControlClient } from "./control-client.ts";
import type { HttpTransport } from "./http-transport.ts";
import type { ProbeClient } from "./probe-client.ts";
import { parseServerAddress } from "./server-address.ts";

/** Where readiness is asked, in this order; the next one only when the server does not have the one before. */
const PROBE_PATHS = ["/readyz", "/info", "/v1/models"];
/** Answers that say "there is no such thing here" and nothing of readiness. */
const NOT_THERE = [404, 405, 501];

/** What MLflow calls the states of a run. */
const RUN_STATES: Readonly<Record<string, RunReport["run"]>> = {
  RUNNING: "active",
  SCHEDULED: "active",
  FINISHED: "succeeded",
  FAILED: "failed",
  KILLED: "failed",
};

/** Asks whether a server is ready; `timeoutMs` is for each of the three tries. */
export async function probeCms(
  client: ProbeClient,
  server: ModelServer,
  timeoutMs: number,
  options: OperationOptions,
): Promise<ProbeReport> {
  if (parseServerAddress(server.url) === undefined) {
    return { ready: false, reason: "its address is not one of http or https" };
  }
  for (const path of PROBE_PATHS) {
    const answer = await client.get(server.url, path, timeoutMs, options);
    if (answer.kind !== "answered") return { ready: false, reason: silence(path, answer.kind, timeoutMs) };
    const { status, instance } = answer;
    if (status >= 200 && status < 300) {
      return { ready: true, instance, models: path === "/v1/models" ? listedModels(answer.json) : undefined };
    }
    if (!NOT_THERE.includes(status)) return { ready: false, instance, reason: `${path} answered ${status}` };
  }
  return { ready: false, reason: `it has none of ${PROBE_PATHS.join(", ")}` };
}

function silence(path: string, kind: Exclude<ControlAnswer["kind"], "answered">, timeoutMs: number): string {
  if (kind === "unreachable") return "no connection";
  return kind === "timeout"
    ? `${path} did not answer within ${timeoutMs} ms`
    : `${path} gave no usable answer`;
}

function listedModels(json: unknown): readonly string[] | undefined {
  const data = field(json, "data");
  if (!Array.isArray(data)) return undefined;
  return data.map((entry) => textField(entry, "id")).filter((id) => id !== undefined);
}

/**
 * Looks a run up by the tracking id that it was sent with, and maps its state and no more. Two things that a CMS does
 * are for whoever watches the run: with a newer MLflow client the run named in the 202 stays RUNNING when the work is
 * over, and it turns FAILED when another training begins. `idle` stays open, as a CMS does not tell it.
 */
export async function findCmsRun(
  client: ControlClient,
  query: RunQuery,
  timeoutMs: number,
  options: OperationOptions,
): Promise<RunReport> {
  if (query.taskId === undefined) return { run: "unclear" };
  const answer = await client.send(
    {
      url: query.server.url,
      method: "GET",
      path: "/train_eval_info",
      query: { train_eval_id: query.taskId },
      timeoutMs,
    },
    options,
  );
  if (answer.kind !== "answered") return { run: "unclear" };
  const { status, json, instance } = answer;
  // A 404 without the empty list is a server without this route: it says nothing of the run.
  if (status === 404 && Array.isArray(json) && json.length === 0) return { run: "none", instance };
  if (status !== 200 || !Array.isArray(json)) return { run: "unclear", instance };
  const run = pickRun(json, query.runId);
  const state = RUN_STATES[textField(run, "status") ?? ""] ?? "unclear";
  return {
    run: state,
    runId: textField(run, "run_id"),
    document: state === "succeeded" || state === "failed" ? documentOf(run) : undefined,
    instance,
  };
}

// A tracking id can stand for several runs: the one asked for, else one that still works, else the newest.
function pickRun(runs: readonly unknown[], runId: string | undefined): unknown {
  if (runId !== undefined) return runs.find((run) => textField(run, "run_id") === runId);
  const active = runs.find((run) => RUN_STATES[textField(run, "status") ?? ""] === "active");
  return active ?? runs.reduce((newest, run) => (startOf(run) > startOf(newest) ? run : newest), runs[0]);
}

function startOf(run: unknown): number {
  const startedAt = field(run, "start_time");
  return typeof startedAt === "number" ? startedAt : 0;
}

function documentOf(run: unknown): ServerAnswer {
  const bytes = Buffer.from(JSON.stringify(run), "utf8");
  return {
    status: 200,
    contentType: "application/json",
    sizeBytes: bytes.byteLength,
    body: (async function* () {
      yield bytes;
    })(),
  };
}

/**
 * Cancels what runs on the server, if that is the run asked for. CMS cancels whatever it works on and is told no id,
 * so nothing is sent unless the run was found active right before.
 */
export async function cancelCmsRun(
  client: ControlClient,
  query: RunQuery,
  timeoutMs: number,
  options: OperationOptions,
): Promise<boolean> {
  const found = await findCmsRun(client, query, timeoutMs, options);
  if (found.run !== "active") return false;
  const answer = await client.send(
    { url: query.server.url, method: "POST", path: "/cancel_training", timeoutMs },
    options,
  );
  return answer.kind === "answered" && answer.status >= 200 && answer.status < 300;
}

/** What the server says of itself, streamed. */
export async function cmsInfo(
  transport: HttpTransport,
  server: ModelServer,
  timeoutMs: number,
  options: OperationOptions,
): Promise<ServerAnswer | undefined> {
  const address = parseServerAddress(server.url);
  if (address === undefined) return undefined;
  const result = await transport.send({
    origin: address.origin,
    target: `${address.prefix}/info`,
    method: "GET",
    headers: address.headers,
    ownConnection: true,
    timeoutMs,
    abort: abortOf(options),
  });
  if (result.kind !== "answered") return undefined;
  if (result.status >= 200 && result.status < 300) return answerOf(result);
  await result.body.return();
  return undefined;
}
