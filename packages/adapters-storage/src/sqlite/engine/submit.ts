import { idempotencyMismatch, rankOf } from "@modelgate/core/adapter";
import { KEYED } from "../../rows/forgotten.ts";
import type { SqlRow } from "../../rows/task-row.ts";
import { toWireError, type WireSubmitted, type WireTask } from "../wire.ts";
import { findKey, rememberKey } from "./idempotency.ts";
import { bytesAt, guardItem, type Session } from "./session.ts";
import { rowOf } from "./task-table.ts";

const INSERT = `
INSERT INTO tasks (id, model, operation, owner, background, priority, rank, created_at, deadline_at, payload_bytes, identity,
  ready, state, attempt, recovering, failures, lost, forgotten)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 1, 0, 0, 0, 0, 0, ?)
ON CONFLICT (id) DO NOTHING`;
const INSERT_PAYLOAD = "INSERT INTO payloads (seq, bytes) VALUES (last_insert_rowid(), coalesce(?, x''))";

/** Accepts tasks that were validated before they came here. */
export function submit(
  session: Session,
  tasks: readonly WireTask[],
): { nowMs: number; tasks: WireSubmitted[] } {
  return {
    nowMs: session.nowMs,
    tasks: tasks.map((task) => guardItem(session, () => submitOne(session, task), toWireError)),
  };
}

function submitOne(session: Session, wire: WireTask): WireSubmitted {
  const { db, nowMs, lanes } = session;
  const [
    id,
    model,
    operation,
    owner,
    background,
    priority,
    boostMs,
    waitMs,
    payloadBytes,
    identity,
    body,
    key,
  ] = wire;
  if (key !== 0) {
    const before = rowOf(session, id);
    if (before !== undefined) return known(before, model, operation, owner);
    const first = findKey(session, wire, key);
    if (first !== undefined) return first.digest === key[1] ? duplicate(session, first.task) : MISMATCH;
  }
  const rank = rankOf(nowMs, priority, boostMs);
  const values = [
    id,
    model,
    operation,
    owner,
    background,
    priority,
    rank,
    nowMs,
    nowMs + waitMs,
    payloadBytes,
    identity,
    key === 0 ? 0 : KEYED,
  ];
  if (db.sql(INSERT).run(values).changes === 0) return known(rowOf(session, id), model, operation, owner);
  if (body !== 0) db.sql(INSERT_PAYLOAD).run([bytesAt(session, body)]);
  if (key !== 0) rememberKey(session, wire, key);
  lanes.change(model, background, 1, payloadBytes);
  return 0;
}

const MISMATCH = toWireError(idempotencyMismatch());

function duplicate(session: Session, task: string): WireSubmitted {
  const row = rowOf(session, task);
  return row === undefined ? MISMATCH : { duplicate: row };
}

function known(row: SqlRow | undefined, model: string, operation: string, owner: string): WireSubmitted {
  const isSame = row !== undefined && row[2] === model && row[26] === operation && row[27] === owner;
  return isSame ? row : 1;
}
