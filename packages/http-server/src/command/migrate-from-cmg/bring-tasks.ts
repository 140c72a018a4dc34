import type { BringsTasks, ForeignDatabase } from "@modelgate/adapters-storage/postgres";
import type { ForeignBucket } from "@modelgate/adapters-storage/s3";
import type { Ledger, ModelServer, ObjectStore, ResultRef, TaskError, TaskRecord } from "@modelgate/core";
import { storeBody } from "@modelgate/core/adapter";
import type { Retention } from "../settings/retention.ts";
import { type CmgTask, toTask } from "./cmg-rows.ts";
import {
  endedAtMs,
  endedRecord,
  mediaTypeOf,
  type RecordSettings,
  sentRecord,
  waitingRecord,
} from "./to-record.ts";
import { type CmgMessage, PayloadMissing, toRequest } from "./waiting-task.ts";

export interface BringTasksContext {
  readonly database: ForeignDatabase;
  readonly payloads: ForeignBucket;
  readonly results: ForeignBucket;
  /** By id; undefined when the queue was not looked into. */
  readonly messages: ReadonlyMap<string, CmgMessage> | undefined;
  /** Absent as long as nothing is to be written. */
  readonly ledger: (Ledger & BringsTasks) | undefined;
  readonly objects: ObjectStore;
  readonly servers: ReadonlyMap<string, ModelServer>;
  readonly settings: RecordSettings;
  readonly inlineBytes: number;
  readonly retention: Retention;
  readonly dryRun: boolean;
  readonly onProgress: (count: number) => void;
  readonly signal: AbortSignal;
}

/** Of each kind: how many came now, and how many were here before. */
interface Count {
  brought: number;
  known: number;
}

export interface TaskReport {
  readonly succeeded: Count;
  readonly failed: Count;
  readonly waiting: Count;
  readonly underWay: Count;
  /** Its scheduler had lost them; here they end as failed. */
  readonly lost: Count;
  /** Ended so long ago that a gateway would forget them at once. */
  tooOld: number;
  /** Come without their result, which is older than results are kept. */
  resultsTooOld: number;
  /** Their result is not in its bucket. */
  resultsMissing: number;
  /** Not brought, and why. */
  readonly leftOut: { readonly id: string; readonly why: string }[];
}

type Kind = "succeeded" | "failed" | "waiting" | "underWay" | "lost";

const LOST: TaskError = {
  code: "PAYLOAD_LOST",
  message: "CogStack's gateway had lost it before it was brought over; submit it again.",
};
const FAILED = "It failed in CogStack's gateway, before it was brought over.";
const BATCH = 100;
const BATCH_BYTES = 8 * 1024 * 1024;

/** Brings its tasks, whatever their state, a batch at a time. What is here already stays as it is. */
export async function bringTasks(context: BringTasksContext): Promise<TaskReport> {
  const report: TaskReport = {
    succeeded: { brought: 0, known: 0 },
    failed: { brought: 0, known: 0 },
    waiting: { brought: 0, known: 0 },
    underWay: { brought: 0, known: 0 },
    lost: { brought: 0, known: 0 },
    ...{ tooOld: 0, resultsTooOld: 0, resultsMissing: 0, leftOut: [] },
  };
  let page: CmgTask[] = [];
  let count = 0;
  for await (const row of context.database.rows("task", "uuid")) {
    context.signal.throwIfAborted();
    const task = toTask(row, context.settings.nowMs);
    if (task === undefined)
      report.leftOut.push({ id: String(row["uuid"]), why: "its row cannot be understood" });
    else page.push(task);
    if (page.length < BATCH) continue;
    await bringPage(page, context, report);
    count += page.length;
    context.onProgress(count);
    page = [];
  }
  await bringPage(page, context, report);
  return report;
}

async function bringPage(
  page: readonly CmgTask[],
  context: BringTasksContext,
  report: TaskReport,
): Promise<void> {
  const { ledger, signal } = context;
  const ids = page.map(({ id }) => id);
  const here = ledger === undefined || ids.length === 0 ? [] : await ledger.get(ids, { signal });
  let batch: { readonly record: TaskRecord; readonly kind: Kind }[] = [];
  let bytes = 0;
  for (const [at, task] of page.entries()) {
    const kind = kindOf(task, context);
    if (kind === undefined) report.leftOut.push({ id: task.id, why: "its queue was not looked into" });
    else if (here[at] !== undefined) report[kind].known += 1;
    else if (isTooOld(task, kind, context)) report.tooOld += 1;
    else {
      const record = await recordOf(task, kind, context, report);
      batch.push(record);
      bytes +=
        (record.record.payload.inline?.byteLength ?? 0) + (record.record.result?.inline?.byteLength ?? 0);
    }
    if (bytes < BATCH_BYTES) continue;
    await write(batch, context, report);
    [batch, bytes] = [[], 0];
  }
  await write(batch, context, report);
}

function kindOf(task: CmgTask, { messages, settings }: BringTasksContext): Kind | undefined {
  if (task.state === "succeeded" || task.state === "failed") return task.state;
  const { background = true } = settings.operations.get(task.operation) ?? {};
  // The server works on it by itself, or may have begun to: it must not be sent again.
  if (task.state === "running" || (task.state === "scheduled" && background)) return "underWay";
  if (messages === undefined) return undefined;
  return messages.has(task.id) ? "waiting" : "lost";
}

function isTooOld(task: CmgTask, kind: Kind, { retention, settings }: BringTasksContext): boolean {
  if (retention === false || (kind !== "succeeded" && kind !== "failed")) return false;
  return settings.nowMs - endedAtMs(task) >= retention.rowMs;
}

async function recordOf(
  task: CmgTask,
  kind: Kind,
  context: BringTasksContext,
  report: TaskReport,
): Promise<{ readonly record: TaskRecord; readonly kind: Kind }> {
  const { settings, servers } = context;
  switch (kind) {
    case "succeeded": {
      const result = await resultOf(task, context, report);
      return { kind, record: endedRecord(task, { result }, settings) };
    }
    case "failed": {
      const code = task.runId === undefined ? "SERVER_REJECTED" : "RUN_FAILED";
      return {
        kind,
        record: endedRecord(task, { error: { code, message: FAILED }, result: saidOf(task) }, settings),
      };
    }
    case "underWay": {
      // Under an id that no server has, nobody is asked but the tracker.
      const { id: server, instance } = servers.get(task.model) ?? { id: `cmg:${task.model}` };
      const request = await requestOf(task, context);
      return { kind, record: { ...sentRecord(task, { server, instance }, settings), ...request } };
    }
    case "waiting": {
      const request = await requestOf(task, context);
      if (request !== undefined) return { kind, record: waitingRecord(task, request, settings) };
      return { kind: "lost", record: lostRecord(task, context) };
    }
    case "lost":
      return { kind, record: lostRecord(task, context) };
  }
}

function lostRecord(task: CmgTask, { settings }: BringTasksContext): TaskRecord {
  return endedRecord({ ...task, finishedAtMs: settings.nowMs }, { error: LOST }, settings);
}

/** What it said of a failure may quote a server, and is kept as what a server says is. */
function saidOf({ errorMessage }: CmgTask): ResultRef | undefined {
  if (errorMessage === undefined) return undefined;
  const inline = new TextEncoder().encode(errorMessage);
  return { sizeBytes: inline.byteLength, contentType: "text/plain; charset=utf-8", inline };
}

async function resultOf(task: CmgTask, context: BringTasksContext, report: TaskReport): Promise<ResultRef> {
  const { results, objects, inlineBytes, retention, settings, dryRun, signal } = context;
  const contentType = mediaTypeOf(task);
  const gone: ResultRef = { sizeBytes: 0, contentType, isForgotten: true };
  if (retention !== false && settings.nowMs - endedAtMs(task) >= retention.resultMs) {
    report.resultsTooOld += 1;
    return gone;
  }
  const found = task.result === undefined ? undefined : await results.get(task.result, { signal });
  if (found === undefined) {
    report.resultsMissing += 1;
    return gone;
  }
  if (dryRun) {
    await found.body[Symbol.asyncIterator]().return?.();
    return gone;
  }
  const key = `results/${task.id}/1`;
  return {
    ...(await storeBody(found.body, { objects, key, inlineBytes, operation: { signal } })),
    contentType,
  };
}

async function requestOf(
  { id }: CmgTask,
  { messages, payloads, objects, inlineBytes, dryRun, signal }: BringTasksContext,
): Promise<Pick<TaskRecord, "query" | "payload"> | undefined> {
  const message = messages?.get(id);
  if (message === undefined) return undefined;
  const { query, contentType, body } = toRequest(message, payloads);
  if (dryRun) return { query, payload: { sizeBytes: 0, inline: new Uint8Array() } };
  try {
    const key = `payloads/${id}/from-cmg`;
    const stored = await storeBody(body, { objects, key, inlineBytes, operation: { signal } });
    return { query, payload: { ...stored, contentType } };
  } catch (error) {
    if (error instanceof PayloadMissing) return undefined;
    throw error;
  }
}

async function write(
  batch: readonly { readonly record: TaskRecord; readonly kind: Kind }[],
  { ledger, dryRun, signal }: BringTasksContext,
  report: TaskReport,
): Promise<void> {
  if (batch.length === 0) return;
  if (dryRun || ledger === undefined) {
    for (const { kind } of batch) report[kind].brought += 1;
    return;
  }
  const outcomes = await ledger.bringTasks(
    batch.map(({ record }) => record),
    { signal },
  );
  for (const [at, outcome] of outcomes.entries()) {
    const { kind, record } = batch[at] as (typeof batch)[number];
    if (outcome.outcome === "refused") report.leftOut.push({ id: record.id, why: outcome.error.message });
    else report[kind][outcome.outcome] += 1;
  }
}
