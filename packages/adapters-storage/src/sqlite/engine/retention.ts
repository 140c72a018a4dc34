import type { SweepRequest } from "@modelgate/core";
import { KEYED, PAYLOAD, RESULT } from "../../rows/forgotten.ts";
import type { SqlRow } from "../../rows/task-row.ts";
import { identityOf, TASK_COLUMNS, toRecord } from "../../rows/task-row.ts";
import type { Session } from "./session.ts";

/** Forgets what has ended long enough ago; gives the room that is left of `limit`. Adds the objects that it freed. */
export function forget(
  session: Session,
  retention: NonNullable<SweepRequest["retention"]>,
  limit: number,
  keys: string[],
): number {
  const { db, nowMs } = session;
  let room = limit;
  const each = (without: readonly number[], ageMs: number, forgetOne: (row: SqlRow) => void): void => {
    for (const row of oldest(session, without, nowMs - ageMs, room)) {
      room -= 1;
      forgetOne(row);
    }
  };
  each([0, RESULT, KEYED, KEYED + RESULT], retention.payloadMs, (row) => {
    const task = toRecord(row);
    if (task.payload.key !== undefined) keys.push(task.payload.key);
    const identity = identityOf({ ...task, payload: { ...task.payload, key: undefined, isForgotten: true } });
    db.sql("UPDATE tasks SET identity = ?, forgotten = forgotten + ? WHERE seq = ?").run([
      identity,
      PAYLOAD,
      row[0] as number,
    ]);
    db.sql("DELETE FROM payloads WHERE seq = ?").run([row[0] as number]);
  });
  each([0, PAYLOAD, KEYED, KEYED + PAYLOAD], retention.resultMs, (row) => {
    const { result } = toRecord(row);
    if (result?.key !== undefined) keys.push(result.key);
    const rest =
      result === undefined ? null : JSON.stringify({ ...result, key: undefined, isForgotten: true });
    db.sql("UPDATE tasks SET result = ?, forgotten = forgotten + ? WHERE seq = ?").run([
      rest,
      RESULT,
      row[0] as number,
    ]);
    db.sql("DELETE FROM results WHERE seq = ?").run([row[0] as number]);
  });
  each([0, PAYLOAD, RESULT, PAYLOAD + RESULT], retention.rowMs, (row) => {
    const task = toRecord(row);
    for (const ref of [task.payload, task.result]) if (ref?.key !== undefined) keys.push(ref.key);
    for (const table of ["payloads", "results", "tasks"])
      db.sql(`DELETE FROM ${table} WHERE seq = ?`).run([row[0] as number]);
  });
  return room;
}

/** Ended tasks of which something is still kept, those that ended first before the others. */
function oldest({ db }: Session, forgotten: readonly number[], endedByMs: number, limit: number): SqlRow[] {
  if (limit <= 0) return [];
  const select = db.sql(
    `SELECT ${TASK_COLUMNS} FROM tasks WHERE state >= 3 AND forgotten = ? AND finished_at <= ? ORDER BY finished_at LIMIT ?`,
  );
  const rows = forgotten.flatMap((value) => select.all([value, endedByMs, limit]));
  return rows
    .sort((a, b) => (a[16] as number) - (b[16] as number) || (a[0] as number) - (b[0] as number))
    .slice(0, limit);
}
