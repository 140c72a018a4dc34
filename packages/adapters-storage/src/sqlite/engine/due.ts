import type { DueQuery, RankPlace } from "../../rows/due-query.ts";
import { type SqlRow, TASK_COLUMNS } from "../../rows/task-row.ts";
import type { Database } from "../driver.ts";
import { START } from "./lane-cursor.ts";

/** The first rows of each lane, of which there may be more, each row once and the lanes one after another. */
export interface WireDue {
  readonly rows: readonly SqlRow[];
  readonly more: boolean;
}

const IN_LANE = `
SELECT ${TASK_COLUMNS} FROM tasks WHERE model = ? AND background = ? AND ready = 1 AND (rank, id) > (?, ?)
ORDER BY rank, id LIMIT ?`;
// What is due and not yet in its lane, to which the next apply or sweep brings it: little, and mostly nothing.
const ANY_DUE = "SELECT 1 FROM tasks WHERE ready = 0 AND not_before <= ? LIMIT 1";
const DUE = `
SELECT ${TASK_COLUMNS} FROM tasks
WHERE ready = 0 AND not_before <= ? AND model = ? AND background = ? AND (rank, id) > (?, ?)
ORDER BY rank, id LIMIT ?`;

/** Waiting tasks of some lanes whose back-off is over. What it reads depends on what it gives, not on what waits. */
export function listDue(db: Database, nowMs: number, { lanes, after }: DueQuery): WireDue {
  const place: RankPlace = after ?? [START.rank, START.id];
  const hasDue = db.sql(ANY_DUE).get([nowMs]) !== undefined;
  const rows: SqlRow[] = [];
  let more = false;
  for (const [model, background, max] of lanes) {
    // Before the lane: what another process brings there meanwhile is met twice rather than not at all.
    const due = hasDue ? db.sql(DUE).all([nowMs, model, background, ...place, max + 1]) : [];
    const ready = db.sql(IN_LANE).all([model, background, ...place, max + 1]);
    const found = due.length === 0 ? ready : merged(due, ready);
    more ||= found.length > max;
    rows.push(...found.slice(0, max));
  }
  return { rows, more };
}

/** In the order in which SQLite has them: by the rank, then by the bytes of the id. */
function merged(due: readonly SqlRow[], ready: readonly SqlRow[]): SqlRow[] {
  const byId = new Map([...due, ...ready].map((row) => [row[1] as string, row]));
  return [...byId.values()].sort((a, b) => {
    return (a[4] as number) - (b[4] as number) || Buffer.compare(bytesOf(a), bytesOf(b));
  });
}

function bytesOf(row: SqlRow): Buffer {
  return Buffer.from(row[1] as string);
}
