import type {
  ExchangeOutcome,
  Grant,
  IdempotencyRef,
  NewTask,
  OrphanHold,
  Settlement,
  SubmitOutcome,
  SweepRequest,
  TaskRecord,
  TaskState,
} from "@modelgate/core";
import { idTaken } from "@modelgate/core/adapter";
import { finite } from "../rows/finite.ts";
import { newRecord } from "../rows/new-record.ts";
import { identityOf, resultJson, toRecord } from "../rows/task-row.ts";
import { type BodyPack, type BodySlice, copyOf } from "./body-pack.ts";
import {
  fromWireError,
  type WireBrought,
  type WireGrant,
  type WireHold,
  type WireKey,
  type WireOutcome,
  type WireSettlement,
  type WireSubmitted,
  type WireTask,
} from "./wire.ts";

export function toWireBrought(task: TaskRecord, bodies: BodyPack): WireBrought {
  const { payload, result } = task;
  const { inline: payloadBytes, ...payloadRef } = payload;
  const record: TaskRecord = { ...task, payload: payloadRef };
  const paid = payloadBytes === undefined ? 0 : bodies.add(payloadBytes);
  if (result === undefined) return [record, paid, 0];
  const { inline, ...resultRef } = result;
  return [{ ...record, result: resultRef }, paid, inline === undefined ? 0 : bodies.add(inline)];
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
  if (submitted === 1) return { outcome: "refused", error: idTaken() };
  if ("duplicate" in submitted) return { outcome: "duplicate", task: toRecord(submitted.duplicate) };
  if ("code" in submitted) return { outcome: "refused", error: fromWireError(submitted) };
  return { outcome: "accepted", task: toRecord(submitted) };
}

export function toWireSettlement(item: Settlement, bodies: BodyPack): WireSettlement {
  if (item.kind === "returned") return { item: { ...item, delayMs: finite(item.delayMs) } };
  if (!("result" in item) || item.result === undefined) return { item };
  const { result } = item;
  const body = result.inline === undefined ? undefined : bodies.add(result.inline);
  return { item: { ...item, result: undefined } as unknown as Settlement, result: resultJson(result), body };
}

export function toWireSweep({ limit, unserved, failing, retention }: SweepRequest): SweepRequest {
  if (retention === undefined) return { limit: finite(limit), unserved, failing };
  const { payloadMs, resultMs, rowMs } = retention;
  const ages = { payloadMs: finite(payloadMs), resultMs: finite(resultMs), rowMs: finite(rowMs) };
  return { limit: finite(limit), unserved, failing, retention: ages };
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
