import {
  type ExchangeOutcome,
  type ExchangeRequest,
  GatewayError,
  type Grant,
  type IdempotencyRef,
  type NewTask,
  type OrphanHold,
  type Settlement,
  type SubmitOutcome,
  type SweepRequest,
  TASK_STATES,
  type TaskFilter,
  type TaskRecord,
  type TaskState,
} from "@modelgate/core";
import { rankOf } from "@modelgate/core/adapter";
import { type BodyPack, type BodySlice, copyOf } from "./body-pack.ts";
import { identityOf, resultJson, toRecord } from "./task-row.ts";
import {
  fromWireError,
  type WireGrant,
  type WireHold,
  type WireKey,
  type WireList,
  type WireOutcome,
  type WireSettlement,
  type WireSubmitted,
  type WireTask,
} from "./wire.ts";

/** Outlasts every clock and exceeds every count. */
const FOR_EVER_MS = 2 ** 52;

/** JSON has no infinity and would make `null` of it, which counts as 0: a retention for ever would forget at once. */
export function finite(value: number): number {
  return Number.isNaN(value) ? 0 : Math.max(-FOR_EVER_MS, Math.min(value, FOR_EVER_MS));
}

export function toWireTask(task: NewTask, bodies: BodyPack): WireTask {
  const { id, model, operation, owner, priority, boostMs, payload } = task;
  const body: BodySlice | 0 = payload.inline === undefined ? 0 : bodies.add(payload.inline);
  const waitMs = finite(task.waitMs);
  const background = task.background ? 1 : 0;
  return [
    id,
    model,
    operation,
    owner,
    background,
    priority,
    boostMs,
    waitMs,
    payload.sizeBytes,
    identityOf(task),
    body,
    task.idempotency === undefined ? 0 : toWireKey(task.idempotency),
  ];
}

function toWireKey({ key, digest, keepMs }: IdempotencyRef): WireKey {
  return [key, digest, finite(keepMs)];
}

export function toSubmitOutcome(task: NewTask, submitted: WireSubmitted, nowMs: number): SubmitOutcome {
  if (submitted === 0) return { outcome: "accepted", task: newRecord(task, nowMs) };
  if (submitted === 1) {
    const error = new GatewayError("INVALID_REQUEST", "id belongs to another task", {
      details: { field: "id" },
    });
    return { outcome: "refused", error };
  }
  if ("duplicate" in submitted) return { outcome: "duplicate", task: toRecord(submitted.duplicate) };
  if ("code" in submitted) return { outcome: "refused", error: fromWireError(submitted) };
  return { outcome: "accepted", task: toRecord(submitted) };
}

// Written out field by field: rest and spread made objects here that were ten times as slow to make and to read.
function newRecord(task: NewTask, nowMs: number): TaskRecord {
  const { contentType, key, sizeBytes } = task.payload;
  return {
    id: task.id,
    model: task.model,
    operation: task.operation,
    owner: task.owner,
    query: task.query,
    source: task.source,
    retryOf: task.retryOf,
    repeatable: task.repeatable,
    background: task.background,
    maxFailures: task.maxFailures,
    payload: { sizeBytes, contentType, key },
    createdAtMs: nowMs,
    deadlineAtMs: nowMs + finite(task.waitMs),
    state: "pending",
    priority: task.priority,
    rank: rankOf(nowMs, task.priority, task.boostMs),
    attempt: 0,
    failures: 0,
    lostAttempts: 0,
    recovering: false,
  };
}

/** Whether a text comes back from the database as it went in. */
export function isStorable(text: string | undefined): boolean {
  return text === undefined || (!text.includes("\0") && text.isWellFormed());
}

/** Why this one settlement cannot be written. What is kept as JSON holds any text. */
export function refusalOfSettlement(item: Settlement): GatewayError | undefined {
  const texts =
    item.kind === "sent"
      ? [item.server, item.instance]
      : item.kind === "running"
        ? [item.runId, item.instance]
        : [];
  if (texts.every(isStorable)) return undefined;
  return new GatewayError(
    "INVALID_REQUEST",
    "server, instance or runId holds a character that cannot be stored",
  );
}

/** Throws `INVALID_REQUEST` for names that a row cannot hold. */
export function requireStorable(request: ExchangeRequest): void {
  const { runner, incarnation, want } = request;
  if (
    isStorable(runner) &&
    isStorable(incarnation) &&
    want.every(({ server, instance }) => isStorable(server) && isStorable(instance))
  ) {
    return;
  }
  throw new GatewayError(
    "INVALID_REQUEST",
    "runner, incarnation, server or instance holds a character that cannot be stored",
  );
}

export function toWireSettlement(item: Settlement, bodies: BodyPack): WireSettlement {
  if (item.kind === "returned") return { item: { ...item, delayMs: finite(item.delayMs) } };
  if (!("result" in item) || item.result === undefined) return { item };
  const { result } = item;
  const body = result.inline === undefined ? undefined : bodies.add(result.inline);
  return { item: { ...item, result: undefined } as unknown as Settlement, result: resultJson(result), body };
}

export function toWireSweep({ limit, unserved, retention }: SweepRequest): SweepRequest {
  if (retention === undefined) return { limit: finite(limit), unserved };
  const { payloadMs, resultMs, rowMs } = retention;
  const ages = { payloadMs: finite(payloadMs), resultMs: finite(resultMs), rowMs: finite(rowMs) };
  return { limit: finite(limit), unserved, retention: ages };
}

export function toOutcome(wire: WireOutcome): ExchangeOutcome {
  if (wire === 0) return { outcome: "accepted" };
  if (wire === 1) return { outcome: "cancel_requested" };
  if (wire === 2) return { outcome: "unknown" };
  if ("code" in wire) return { outcome: "refused", error: fromWireError(wire) };
  return { outcome: "stale", attempt: wire[0], state: wire[1] as TaskState };
}

export function toGrant({ kind, row, body }: WireGrant, bytes: ArrayBuffer | undefined): Grant {
  const task = toRecord(row, body === undefined ? undefined : copyOf(bytes, body));
  return { kind, attempt: task.attempt, server: task.server ?? "", task };
}

export function toOrphanHold([server, id, attempt, instance]: WireHold): OrphanHold {
  return { server, id, attempt, instance: instance ?? undefined };
}

export function toWireList(filter: TaskFilter, cursor: string | undefined, limit: number): WireList {
  if (!Number.isInteger(limit) || limit < 1 || limit > 1000) {
    const message = `limit must be an integer from 1 to 1000; it is ${limit}`;
    throw new GatewayError("INVALID_REQUEST", message, { details: { field: "limit" } });
  }
  const { states, model, operation, owner, createdFromMs, createdBeforeMs } = filter;
  return {
    model,
    operation,
    owner,
    createdFromMs: createdFromMs === undefined ? undefined : finite(createdFromMs),
    createdBeforeMs: createdBeforeMs === undefined ? undefined : finite(createdBeforeMs),
    states: states?.map((state) => TASK_STATES.indexOf(state)),
    after: cursor === undefined ? undefined : parseCursor(cursor),
    limit,
  };
}

export function cursorOf(task: TaskRecord): string {
  return `${task.createdAtMs}.${task.id}`;
}

function parseCursor(cursor: string): readonly [number, string] {
  const dot = cursor.indexOf(".");
  const createdAtMs = Number(cursor.slice(0, dot));
  if (dot < 1 || !Number.isFinite(createdAtMs)) {
    throw new GatewayError("INVALID_REQUEST", "cursor is not one that a listing gave", {
      details: { field: "cursor" },
    });
  }
  return [createdAtMs, cursor.slice(dot + 1)];
}
