import type { SweepRequest, TaskRecord } from "@modelgate/core";
import { endByLedger, expire, laneEndings, WAITED_TOO_LONG } from "@modelgate/core/adapter";
import type { SqlRow } from "../../rows/task-row.ts";
import { TASK_COLUMNS } from "../../rows/task-row.ts";
import { forgetKeys } from "./idempotency.ts";
import { deadHolders, forgetProcess } from "./processes.ts";
import { promote } from "./promote.ts";
import { forget } from "./retention.ts";
import type { Session } from "./session.ts";
import { rowOf, type StoredTask, toStored, update } from "./task-table.ts";

export interface WireSwept {
  /** Rows of all tasks that were changed. */
  readonly changed: readonly SqlRow[];
  readonly unreferencedKeys: readonly string[];
  readonly more: boolean;
  /** Whether bytes were deleted, so that the log beside the database should be emptied too. */
  readonly hasForgotten: boolean;
}

const EXPIRED = `
SELECT ${TASK_COLUMNS} FROM tasks WHERE holder IS NOT NULL AND lease_at <= ? ORDER BY lease_at LIMIT ?`;
const HELD_BY = `SELECT ${TASK_COLUMNS} FROM tasks WHERE holder IS NOT NULL AND holder = ? ORDER BY lease_at LIMIT ?`;
const OVERDUE = `SELECT ${TASK_COLUMNS} FROM tasks WHERE state = 0 AND deadline_at <= ? ORDER BY deadline_at LIMIT ?`;
const IN_LANE = `
SELECT ${TASK_COLUMNS} FROM tasks WHERE ready = 1 AND model = ? AND background = ? ORDER BY rank, id LIMIT ?`;
const IN_LANE_DELAYED = `SELECT ${TASK_COLUMNS} FROM tasks WHERE ready = 0 AND model = ? LIMIT ?`;

/** Takes back what leases have left, ends what waited too long, forgets what retention names; oldest first. */
export function sweep(session: Session, request: SweepRequest): WireSwept {
  const { db, nowMs } = session;
  const changed: SqlRow[] = [];
  let room = request.limit;
  const change = (rows: readonly SqlRow[], to: (task: TaskRecord) => TaskRecord): void => {
    for (const stored of rows.map(toStored)) {
      changed.push(write(session, stored, to(stored.task)));
      room -= 1;
    }
  };
  const expired = (task: TaskRecord): TaskRecord => expire(task, nowMs, session.random);
  for (const { holder, process } of deadHolders(session)) {
    if (holder !== undefined) change(db.sql(HELD_BY).all([holder, room]), expired);
    if (room <= 0) break;
    forgetProcess(session, process, holder);
  }
  change(db.sql(EXPIRED).all([nowMs, room]), expired);
  change(db.sql(OVERDUE).all([nowMs, room]), (task) => endByLedger(task, "failed", WAITED_TOO_LONG, nowMs));
  for (const [model, error] of laneEndings(request)) {
    const ended = (task: TaskRecord): TaskRecord => endByLedger(task, "failed", error, nowMs);
    for (const background of [0, 1]) change(db.sql(IN_LANE).all([model, background, room]), ended);
    change(db.sql(IN_LANE_DELAYED).all([model, room]), ended);
  }
  // Runners that know of no server exchange nothing, and nobody else does it.
  promote(session, request.limit);
  const unreferencedKeys: string[] = [];
  const before = room;
  forgetKeys(session);
  if (request.retention !== undefined) room = forget(session, request.retention, room, unreferencedKeys);
  return { changed, unreferencedKeys, more: room <= 0, hasForgotten: room < before };
}

/** Takes back what dead processes hold, with no limit: nobody is served before the store is open. */
export function takeBackFromDead(session: Session): void {
  for (const { holder, process } of deadHolders(session)) {
    const rows = holder === undefined ? [] : session.db.sql(HELD_BY).all([holder, -1]);
    for (const stored of rows.map(toStored)) {
      update(session, stored, expire(stored.task, session.nowMs, session.random));
    }
    forgetProcess(session, process, holder);
  }
}

function write(session: Session, stored: StoredTask, after: TaskRecord): SqlRow {
  update(session, stored, after);
  return rowOf(session, stored.task.id) ?? stored.row;
}
