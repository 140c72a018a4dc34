import type { OperationSpec, ResultRef, TaskError, TaskRecord } from "@modelgate/core";
import { rankOf } from "@modelgate/core/adapter";
import type { CmgTask } from "./cmg-rows.ts";

/** What the settings say of every task, and what the protocol says of its operation. */
export interface RecordSettings {
  readonly nowMs: number;
  readonly boostMs: number;
  readonly waitMs: number;
  readonly maxFailures: number;
  readonly operations: ReadonlyMap<string, OperationSpec>;
}

const PRIORITY = 5;
const GONE = { sizeBytes: 0, isForgotten: true } as const;

/** What all records of its tasks have in common. */
function baseOf(
  task: CmgTask,
  { nowMs, boostMs, waitMs, maxFailures, operations }: RecordSettings,
): TaskRecord {
  const { id, model, operation, source, createdAtMs } = task;
  const spec = operations.get(operation);
  return {
    ...{ id, model, operation, source, createdAtMs, maxFailures },
    owner: "",
    query: "",
    repeatable: spec?.repeatable ?? false,
    background: spec?.background ?? false,
    // It keeps payloads for ever and reads them no more; nobody else will either.
    payload: GONE,
    // Its time of waiting begins now: it knew no such bound.
    deadlineAtMs: nowMs + waitMs,
    state: "pending",
    priority: PRIORITY,
    rank: rankOf(createdAtMs, PRIORITY, boostMs),
    attempt: 0,
    failures: 0,
    lostAttempts: 0,
    recovering: false,
  };
}

export function waitingRecord(
  task: CmgTask,
  request: Pick<TaskRecord, "query" | "payload">,
  settings: RecordSettings,
): TaskRecord {
  return { ...baseOf(task, settings), ...request };
}

/** One that was sent, and that its scheduler does not watch any more. */
export function sentRecord(
  task: CmgTask,
  { server, instance }: { readonly server: string; readonly instance?: string | undefined },
  settings: RecordSettings,
): TaskRecord {
  const startedAtMs = task.startedAtMs ?? task.createdAtMs;
  const { runId } = task;
  return {
    ...baseOf(task, settings),
    ...{ server, instance, runId, startedAtMs },
    // Only what a server accepted has a run.
    state: runId === undefined ? "scheduled" : "running",
    attempt: 1,
    sentAtMs: startedAtMs,
  };
}

export function endedRecord(
  task: CmgTask,
  ending: { readonly result?: ResultRef | undefined; readonly error?: TaskError | undefined },
  settings: RecordSettings,
): TaskRecord {
  const { startedAtMs, runId } = task;
  return {
    ...baseOf(task, settings),
    ...{ startedAtMs, runId, ...ending },
    state: ending.error === undefined ? "succeeded" : "failed",
    attempt: startedAtMs === undefined ? 0 : 1,
    finishedAtMs: endedAtMs(task),
    endedBy: startedAtMs === undefined ? "ledger" : "attempt",
  };
}

export function endedAtMs(task: CmgTask): number {
  return task.finishedAtMs ?? task.startedAtMs ?? task.createdAtMs;
}

const JSON_TYPE = "application/json";
const CSV = "text/csv; charset=utf-8";
/** It names every result `….json` and keeps no media type: it is what the server answers to the operation. */
const MEDIA_TYPES: Readonly<Record<string, string>> = {
  process_jsonl: "application/x-ndjson; charset=utf-8",
  redact: "text/plain; charset=utf-8",
  preview: "application/octet-stream",
  preview_trainer_export: "application/octet-stream",
  "sanity-check": CSV,
  "iaa-scores": CSV,
  "annotation-stats": CSV,
  unknown: "application/octet-stream",
};

export function mediaTypeOf({ operation, result }: CmgTask): string {
  // Its first version kept an address alone of a training.
  if (result?.endsWith(".url")) return "text/plain; charset=utf-8";
  return MEDIA_TYPES[operation] ?? JSON_TYPE;
}
