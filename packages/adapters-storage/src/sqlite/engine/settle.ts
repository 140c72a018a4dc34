import { type ResultRef, type Settlement, TASK_STATES } from "@modelgate/core";
import { renew, settle, type Transition } from "@modelgate/core/adapter";
import { toWireError, type WireOutcome, type WireSettlement } from "../wire.ts";
import { bytesAt, guardItem, type Session } from "./session.ts";
import { find, keepResult, releaseHold, type StoredTask, update } from "./task-table.ts";

// A task with a holder has not ended, so that these conditions are all that the state machine asks for.
const SUCCEED = `
UPDATE tasks SET state = ${TASK_STATES.indexOf("succeeded")}, holder = NULL, lease_at = NULL, recovering = 0, finished_at = ?,
  ended_by = 1, result = ?, error = NULL
WHERE id = ? AND attempt = ? AND holder IS NOT NULL`;
const KEEP_RESULT = `
INSERT OR REPLACE INTO results (seq, bytes) SELECT seq, coalesce(?, x'') FROM tasks WHERE id = ?`;
const RELEASE =
  "DELETE FROM holds WHERE id = ? AND server = (SELECT server FROM tasks WHERE tasks.id = holds.id)";
const RENEW = `
UPDATE tasks SET lease_at = ?, sent_at = coalesce(sent_at, ?) WHERE id = ? AND attempt = ? AND holder IS NOT NULL
RETURNING cancel_at`;

export function settleAll(session: Session, items: readonly WireSettlement[]): WireOutcome[] {
  const hasHolds = items.length > 0 && session.db.sql("SELECT 1 FROM holds LIMIT 1").get([]) !== undefined;
  return items.map((item) => guardItem(session, () => settleOne(session, item, hasHolds), toWireError));
}

export function renewAll(
  session: Session,
  items: readonly (readonly [string, number, 0 | 1])[],
  leaseMs: number,
): WireOutcome[] {
  return items.map((item) => guardItem(session, () => renewOne(session, item, leaseMs), toWireError));
}

function settleOne(session: Session, wire: WireSettlement, hasHolds: boolean): WireOutcome {
  const { item, result, body } = wire;
  if (item.kind === "succeeded" && result !== undefined) {
    const { db, nowMs } = session;
    // Asking for the row with `RETURNING` would add half of what the writing costs.
    if (db.sql(SUCCEED).run([nowMs, result, item.id, item.attempt]).changes > 0) {
      if (body !== undefined) db.sql(KEEP_RESULT).run([bytesAt(session, body), item.id]);
      if (item.releaseHold && hasHolds) db.sql(RELEASE).run([item.id]);
      return 0;
    }
  }
  const stored = find(session, item.id);
  if (stored === undefined) return 2;
  const transition = settle(stored.task, withResult(item, result), session.nowMs);
  if (transition.changed !== undefined) {
    update(session, stored, transition.changed);
    if (body !== undefined) keepResult(session, stored.seq, bytesAt(session, body));
    const { server } = stored.task;
    if ("releaseHold" in item && item.releaseHold && server !== undefined)
      releaseHold(session, server, item.id);
  }
  return outcomeOf(transition, stored);
}

function renewOne(
  session: Session,
  [id, attempt, sent]: readonly [string, number, 0 | 1],
  leaseMs: number,
): WireOutcome {
  const { db, nowMs } = session;
  const row = db.sql(RENEW).get([nowMs + leaseMs, sent === 1 ? nowMs : null, id, attempt]);
  if (row !== undefined) return row[0] === null ? 0 : 1;
  const stored = find(session, id);
  if (stored === undefined) return 2;
  return outcomeOf(renew(stored.task, { attempt, sent: sent === 1 }, leaseMs, nowMs), stored);
}

function withResult(item: Settlement, result: string | undefined): Settlement {
  if (result === undefined) return item;
  return { ...item, result: JSON.parse(result) as ResultRef } as Settlement;
}

function outcomeOf(transition: Transition, stored: StoredTask): WireOutcome {
  if (transition.outcome === "accepted") return 0;
  if (transition.outcome === "cancel_requested") return 1;
  const { attempt, state } = transition.changed ?? stored.task;
  return [attempt, state];
}
