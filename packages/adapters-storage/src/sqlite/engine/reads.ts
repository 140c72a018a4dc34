import { type LaneStats, type LedgerStats, TASK_STATES } from "@modelgate/core";
import { firstRankOf } from "../../rows/first-rank.ts";
import type { ListQuery } from "../../rows/list-query.ts";
import type { SqlRow, SqlValue } from "../../rows/task-row.ts";
import { TASK_COLUMNS } from "../../rows/task-row.ts";
import type { BodyPack, BodySlice } from "../body-pack.ts";
import type { Database } from "../driver.ts";

/** A row, or `null`; with where its bytes are, if they were asked for. */
export type WireGot = null | readonly [SqlRow, BodySlice?];

const BY_ID = `SELECT ${TASK_COLUMNS} FROM tasks WHERE id = ?`;
const BODIES = {
  payload: "SELECT bytes FROM payloads WHERE seq = ?",
  result: "SELECT bytes FROM results WHERE seq = ?",
} as const;

export function getTasks(
  db: Database,
  out: BodyPack,
  ids: readonly string[],
  bodies: "none" | keyof typeof BODIES,
): WireGot[] {
  return ids.map((id): WireGot => {
    const row = db.sql(BY_ID).get([id]);
    if (row === undefined) return null;
    const bytes =
      bodies === "none"
        ? undefined
        : (db.sql(BODIES[bodies]).get([row[0] as number])?.[0] as Uint8Array | undefined);
    return bytes === undefined ? [row] : [row, out.add(bytes)];
  });
}

const LANES = `
SELECT model, sum(waiting), sum(waiting_bytes), min(head_rank) FROM lanes GROUP BY model HAVING sum(waiting) > 0`;
// What is due and not yet in its lane, to which the next exchange or sweep brings it: little.
const DUE = "SELECT model, min(rank) FROM tasks WHERE ready = 0 AND not_before <= ? GROUP BY model";

export function readStats(db: Database, nowMs: number): LedgerStats {
  // Before the lanes: what another process brings there meanwhile is met twice rather than not at all.
  const due = new Map(db.sql(DUE).all([nowMs]) as unknown as [string, number][]);
  const rows = db.sql(LANES).all([]) as unknown as [string, number, number, number | null][];
  const lanes = rows.map(([model, waiting, waitingBytes, headRank]): LaneStats => {
    return { model, waiting, waitingBytes, ...firstRankOf(headRank, due.get(model)) };
  });
  const counts = { scheduled: 0, running: 0 };
  // Held tasks and those to recover, which are few: both have an index of their own.
  for (const held of ["holder IS NOT NULL", "holder IS NULL AND state IN (1, 2)"]) {
    for (const [state, count] of db
      .sql(`SELECT state, count(*) FROM tasks WHERE ${held} GROUP BY state`)
      .all([])) {
      counts[TASK_STATES[state as number] as "scheduled" | "running"] += count as number;
    }
  }
  return { lanes, ...counts };
}

/** What a listing has found so far, and where it goes on. */
export interface ListScan {
  readonly rows: SqlRow[];
  readonly last: readonly [number, string];
  readonly isDone: boolean;
}

/** Rows that one step of a listing looks at: about 10 ms, after which others get their turn. */
const STEP = 5000;

/** One step of a listing, newest first. Looks for one more than was asked for, so that the end is known. */
export function scanTasks(db: Database, request: ListQuery, before?: ListScan): ListScan {
  const from = before?.last ?? request.after ?? [request.createdBeforeMs ?? 1e18, ""];
  const missing = request.limit + 1 - (before?.rows.length ?? 0);
  const edge = db
    .sql(
      "SELECT created_at, id FROM tasks WHERE (created_at, id) < (?, ?) ORDER BY created_at DESC, id DESC LIMIT 1 OFFSET ?",
    )
    .get([...from, STEP]) as readonly [number, string] | undefined;
  const { where, values } = conditionsOf(request);
  const rows = db
    .sql(
      `SELECT ${TASK_COLUMNS} FROM tasks WHERE (created_at, id) < (?, ?) AND (created_at, id) >= (?, ?) ${where}
      ORDER BY created_at DESC, id DESC LIMIT ?`,
    )
    .all([...from, ...(edge ?? [request.createdFromMs ?? -1e18, ""]), ...values, missing]);
  const found = [...(before?.rows ?? []), ...rows];
  const isPast = edge === undefined || edge[0] < (request.createdFromMs ?? -1e18);
  return { rows: found, last: edge ?? from, isDone: isPast || found.length > request.limit };
}

function conditionsOf(request: ListQuery): { where: string; values: SqlValue[] } {
  const values: SqlValue[] = [];
  let where = "";
  const add = (sql: string, value: SqlValue | undefined): void => {
    if (value === undefined) return;
    where += ` AND ${sql}`;
    values.push(value);
  };
  add("model = ?", request.model);
  add("operation = ?", request.operation);
  add("owner = ?", request.owner);
  add("created_at >= ?", request.createdFromMs);
  add("created_at < ?", request.createdBeforeMs);
  if (request.states !== undefined) where += ` AND state IN (${[...new Set(request.states)].sort().join()})`;
  return { where, values };
}
