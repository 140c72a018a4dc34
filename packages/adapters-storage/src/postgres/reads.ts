import type { LaneStats, LedgerStats, ListRequest, Page, TaskRecord } from "@modelgate/core";
import { firstRankOf } from "../rows/first-rank.ts";
import { cursorOf, toListQuery } from "../rows/list-query.ts";
import { isStorable } from "../rows/storable.ts";
import { TASK_COLUMNS, toRecord } from "../rows/task-row.ts";
import { type PostgresPool, statement } from "./pool.ts";
import { ENDED_ROW, LIVE_ROW } from "./statement-parts.ts";
import type { Statements } from "./statements.ts";

/** The states from here on are terminal. */
const FIRST_ENDED = 3;

/** Tasks by id, with the inline bytes that were asked for. */
export async function getTasks(
  pool: PostgresPool,
  sql: Statements,
  ids: readonly string[],
  bodies: "none" | "payload" | "result",
): Promise<(TaskRecord | undefined)[]> {
  const askable = [...new Set(ids.filter(isStorable))];
  if (askable.length === 0) return ids.map(() => undefined);
  const rows = await pool.query(sql.known, [askable]);
  const bytes = new Map<string, Uint8Array>();
  if (bodies !== "none" && rows.length > 0) {
    const found = await pool.query(bodies === "payload" ? sql.payloads : sql.results, [
      rows.map(([seq]) => seq),
    ]);
    for (const [seq, inline] of found) bytes.set(seq as string, inline as Uint8Array);
  }
  const tasks = new Map<string, TaskRecord>();
  for (const row of rows) {
    const task = toRecord(row);
    const inline = bytes.get(row[0] as string);
    tasks.set(task.id, inline === undefined ? task : withBytes(task, bodies, inline));
  }
  return ids.map((id) => tasks.get(id));
}

function withBytes(task: TaskRecord, bodies: "none" | "payload" | "result", inline: Uint8Array): TaskRecord {
  if (bodies === "payload") return { ...task, payload: { ...task.payload, inline } };
  return task.result === undefined ? task : { ...task, result: { ...task.result, inline } };
}

/** One page, newest first. */
export async function listTasks(pool: PostgresPool, request: ListRequest): Promise<Page<TaskRecord>> {
  const { limit = 100 } = request;
  const query = toListQuery(request.filter ?? {}, request.cursor, limit);
  if (![query.model, query.operation, query.owner].every(isStorable)) return { items: [] };
  const values: unknown[] = [];
  const where: string[] = [];
  const add = (condition: (place: string) => string, value: unknown): void => {
    if (value === undefined) return;
    values.push(value);
    where.push(condition(`$${values.length}`));
  };
  if (query.after !== undefined) {
    const [createdAtMs, id] = query.after;
    values.push(createdAtMs, isStorable(id) ? id : "");
    where.push("(created_at, id_by_age) < ($1::double precision, $2::text)");
  }
  add((place) => `model = ${place}`, query.model);
  add((place) => `operation = ${place}`, query.operation);
  add((place) => `owner = ${place}`, query.owner);
  add((place) => `created_at >= ${place}`, query.createdFromMs);
  add((place) => `created_at < ${place}`, query.createdBeforeMs);
  add((place) => `state = ANY (${place}::smallint[])`, query.states);
  const condition = where.length === 0 ? "" : `WHERE ${where.join(" AND ")}`;
  const text = `SELECT ${TASK_COLUMNS} FROM ${sourceOf(pool.options.schema, query.states)} ${condition}
ORDER BY created_at DESC, id_by_age DESC LIMIT ${limit + 1}`;
  const rows = await pool.query(statement(text), values);
  const items = rows.slice(0, limit).map((row) => toRecord(row));
  const last = items.at(-1);
  return { items, nextCursor: rows.length > limit && last !== undefined ? cursorOf(last) : undefined };
}

/** Where tasks in these states are: a page of what waits must not read over all that has ended, nor the other way. */
function sourceOf(schema: string, states: readonly number[] | undefined): string {
  const tables = new Set(states?.map((state) => (state < FIRST_ENDED ? "live" : "ended")));
  const [table] = tables.size === 1 ? tables : ["tasks"];
  if (table === "live") return `(SELECT ${LIVE_ROW}, id || '' AS id_by_age FROM ${schema}.live) AS task`;
  if (table === "ended") return `(SELECT ${ENDED_ROW}, id || '' AS id_by_age FROM ${schema}.ended) AS task`;
  return `${schema}.tasks`;
}

/** A part of a lane: how many wait, their bytes and their first rank; or, without a model, what is scheduled and runs. */
type StatsRow = readonly [string | null, number, number, number | null];

export async function readStats(pool: PostgresPool, sql: Statements): Promise<LedgerStats> {
  const rows = (await pool.query(sql.stats)) as unknown as StatsRow[];
  const lanes = new Map<string, LaneStats>();
  const counts = { scheduled: 0, running: 0 };
  for (const [model, first, second, rank] of rows) {
    if (model === null) {
      counts.scheduled = first;
      counts.running = second;
      continue;
    }
    const lane = lanes.get(model);
    lanes.set(model, {
      model,
      waiting: first + (lane?.waiting ?? 0),
      waitingBytes: second + (lane?.waitingBytes ?? 0),
      ...firstRankOf(rank, lane?.firstRank),
    });
  }
  return { lanes: [...lanes.values()], ...counts };
}
