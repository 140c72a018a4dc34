import {
  type BodyRef,
  type ResultRef,
  TASK_STATES,
  type TaskError,
  type TaskRecord,
  type TaskState,
} from "@modelgate/core";

export type SqlValue = string | number | null | Uint8Array;
export type SqlRow = readonly SqlValue[];

/** The columns that make a record, in the order in which rows travel. */
export const TASK_COLUMNS = `seq, id, model, background, rank, state, attempt, holder, lease_at, server, instance, sent_at,
  run_id, recovering, not_before, started_at, finished_at, cancel_at, ended_by, priority, failures, lost, error, result,
  created_at, deadline_at, operation, owner, payload_bytes, identity, ready`;

/** What the column `identity` holds. */
interface Identity {
  readonly query: string;
  readonly source?: string | undefined;
  readonly retryOf?: string | undefined;
  readonly repeatable: boolean;
  readonly maxFailures: number;
  readonly payload: Omit<BodyRef, "inline" | "sizeBytes">;
}

const ENDED_BY = [undefined, "attempt", "ledger"] as const;

/** A record of a row with `TASK_COLUMNS`, with the payload's bytes if they are at hand. */
export function toRecord(row: SqlRow, inline?: Uint8Array): TaskRecord {
  const { payload, query, source, retryOf, repeatable, maxFailures } = JSON.parse(
    row[29] as string,
  ) as Identity;
  const sizeBytes = row[28] as number;
  const { contentType, key, isForgotten } = payload;
  return {
    id: row[1] as string,
    model: row[2] as string,
    operation: row[26] as string,
    owner: row[27] as string,
    query,
    source,
    retryOf,
    repeatable,
    background: row[3] === 1,
    maxFailures,
    payload: { sizeBytes, contentType, key, isForgotten, inline },
    createdAtMs: row[24] as number,
    deadlineAtMs: row[25] as number,
    state: TASK_STATES[row[5] as number] as TaskState,
    priority: row[19] as number,
    rank: row[4] as number,
    attempt: row[6] as number,
    failures: row[20] as number,
    lostAttempts: row[21] as number,
    holder: textOf(row[7]),
    leaseExpiresAtMs: numberOf(row[8]),
    server: textOf(row[9]),
    instance: textOf(row[10]),
    sentAtMs: numberOf(row[11]),
    runId: textOf(row[12]),
    recovering: row[13] === 1,
    notBeforeAtMs: numberOf(row[14]),
    startedAtMs: numberOf(row[15]),
    finishedAtMs: numberOf(row[16]),
    cancelRequestedAtMs: numberOf(row[17]),
    error: row[22] === null ? undefined : (JSON.parse(row[22] as string) as TaskError),
    result: row[23] === null ? undefined : (JSON.parse(row[23] as string) as ResultRef),
    endedBy: ENDED_BY[(row[18] as number | null) ?? 0],
  };
}

function textOf(value: SqlValue | undefined): string | undefined {
  return (value as string | null) ?? undefined;
}

function numberOf(value: SqlValue | undefined): number | undefined {
  return (value as number | null) ?? undefined;
}

/** The column `identity` of a record. */
export function identityOf(
  task: Pick<TaskRecord, "query" | "source" | "retryOf" | "repeatable" | "maxFailures" | "payload">,
): string {
  const { query, source, retryOf, repeatable, maxFailures } = task;
  const { contentType, key, isForgotten } = task.payload;
  const identity: Identity = {
    query,
    source,
    retryOf,
    repeatable,
    maxFailures,
    payload: { contentType, key, isForgotten },
  };
  return JSON.stringify(identity);
}

/** The columns that the state machine may change, in the order of the statement that writes them. */
export function progressOf(task: TaskRecord, ready: 0 | 1 | null, orphaned: number | null): SqlValue[] {
  return [
    TASK_STATES.indexOf(task.state),
    ready,
    task.rank,
    task.attempt,
    task.holder ?? null,
    task.leaseExpiresAtMs ?? null,
    task.server ?? null,
    task.instance ?? null,
    task.sentAtMs ?? null,
    task.runId ?? null,
    task.recovering ? 1 : 0,
    task.notBeforeAtMs ?? null,
    task.startedAtMs ?? null,
    task.finishedAtMs ?? null,
    task.cancelRequestedAtMs ?? null,
    task.endedBy === undefined ? null : ENDED_BY.indexOf(task.endedBy),
    task.priority,
    task.failures,
    task.lostAttempts,
    task.error === undefined ? null : JSON.stringify(task.error),
    task.result === undefined ? null : resultJson(task.result),
    orphaned,
  ];
}

export const PROGRESS_COLUMNS: readonly string[] = [
  "state",
  "ready",
  "rank",
  "attempt",
  "holder",
  "lease_at",
  "server",
  "instance",
  "sent_at",
  "run_id",
  "recovering",
  "not_before",
  "started_at",
  "finished_at",
  "cancel_at",
  "ended_by",
  "priority",
  "failures",
  "lost",
  "error",
  "result",
  "orphaned",
];

/** A result without its bytes, which lie apart. */
export function resultJson(result: ResultRef): string {
  const { sizeBytes, contentType, key, isForgotten, status, disposition } = result;
  return JSON.stringify({ sizeBytes, contentType, key, isForgotten, status, disposition });
}
