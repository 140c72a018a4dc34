import type { TaskRecord } from "@modelgate/core";
import type { SqlRow } from "../../rows/task-row.ts";
import { PROGRESS_COLUMNS, progressOf, TASK_COLUMNS, toRecord } from "../../rows/task-row.ts";
import type { Session } from "./session.ts";

/** A task as it is in the table. */
export interface StoredTask {
  readonly seq: number;
  readonly ready: 0 | 1 | null;
  readonly task: TaskRecord;
  readonly row: SqlRow;
}

const BY_ID = `SELECT ${TASK_COLUMNS} FROM tasks WHERE id = ?`;
const UPDATE = `UPDATE tasks SET ${PROGRESS_COLUMNS.map((column) => `${column} = ?`).join(", ")} WHERE seq = ?`;
const LAST_ORPHANED =
  "SELECT orphaned FROM tasks WHERE holder IS NULL AND state IN (1, 2) ORDER BY orphaned DESC LIMIT 1";

export function toStored(row: SqlRow): StoredTask {
  return { seq: row[0] as number, ready: row[30] as 0 | 1 | null, task: toRecord(row), row };
}

export function rowOf({ db }: Pick<Session, "db">, id: string): SqlRow | undefined {
  return db.sql(BY_ID).get([id]);
}

export function find(session: Pick<Session, "db">, id: string): StoredTask | undefined {
  const row = rowOf(session, id);
  return row === undefined ? undefined : toStored(row);
}

/** Writes what a transition made of a task, with the counts of its lane. */
export function update(session: Session, before: StoredTask, after: TaskRecord): void {
  const waited = before.task.state === "pending";
  const waits = after.state === "pending";
  // Once promoted, it stays in its lane, although the record still tells of the back-off.
  const ready = !waits ? null : after.notBeforeAtMs === undefined ? 1 : (before.ready ?? 0);
  const background = after.background ? 1 : 0;
  const isOrphan = after.holder === undefined && (after.state === "scheduled" || after.state === "running");
  session.db
    .sql(UPDATE)
    .run([...progressOf(after, ready, isOrphan ? nextOrphaned(session) : null), before.seq]);
  if (waits || waited) {
    const change = waits === waited ? 0 : waits ? 1 : -1;
    if (change === 1) session.returned?.add(after.id);
    session.lanes.change(after.model, background, change, after.payload.sizeBytes);
  }
}

/** Drivers bind empty bytes as NULL, hence the `coalesce`. */
export function keepResult({ db }: Session, seq: number, bytes: Uint8Array): void {
  db.sql("INSERT OR REPLACE INTO results (seq, bytes) VALUES (?, coalesce(?, x''))").run([seq, bytes]);
}

export function releaseHold({ db }: Session, server: string, id: string, attempt?: number): void {
  if (attempt === undefined) db.sql("DELETE FROM holds WHERE server = ? AND id = ?").run([server, id]);
  else db.sql("DELETE FROM holds WHERE server = ? AND id = ? AND attempt = ?").run([server, id, attempt]);
}

/** Tasks that wait to be recovered go in the order in which they came to it. */
function nextOrphaned({ db }: Session): number {
  return ((db.sql(LAST_ORPHANED).get([])?.[0] as number | null | undefined) ?? 0) + 1;
}
