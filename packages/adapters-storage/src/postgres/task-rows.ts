import type { TaskRecord } from "@modelgate/core";
import { isTerminal } from "@modelgate/core/adapter";
import { PROGRESS_COLUMNS, progressOf, type SqlRow, type SqlValue, toRecord } from "../rows/task-row.ts";
import type { Session } from "./session.ts";

/** A task as it is in the table. */
export interface StoredTask {
  /** A 64-bit number, which the driver gives as a text. */
  readonly seq: string;
  readonly ready: 0 | 1 | null;
  readonly task: TaskRecord;
}

/** What a transition made of a task. */
export interface TaskChange {
  readonly before: StoredTask;
  readonly after: TaskRecord;
  /** The bytes of its result, where the ledger keeps them. */
  readonly result?: Uint8Array | undefined;
}

export function toStored(row: SqlRow): StoredTask {
  return { seq: row[0] as string, ready: row[30] as 0 | 1 | null, task: toRecord(row) };
}

/** The tasks with these ids, locked while they have not ended. */
export async function lockTasks(
  { tx, sql }: Session,
  ids: readonly string[],
): Promise<Map<string, StoredTask>> {
  if (ids.length === 0) return new Map();
  const found = new Map<string, StoredTask>();
  for (const row of await tx.query(sql.lockTasks, [ids])) found.set(row[1] as string, toStored(row));
  const missing = ids.filter((id) => !found.has(id));
  if (missing.length === 0) return found;
  // A statement of its own: it sees what ended while the locks were waited for.
  for (const row of await tx.query(sql.known, [missing])) found.set(row[1] as string, toStored(row));
  return found;
}

/** Writes what transitions made of tasks that are locked, with the counts of their lanes. One change for each task. */
export async function writeTasks(
  { tx, sql }: Session,
  changes: readonly TaskChange[],
  nowMs: number,
): Promise<void> {
  if (changes.length === 0) return;
  const rows = { update: [] as Record<string, SqlValue>[], end: [] as Record<string, SqlValue>[] };
  const lanes = new LaneChanges();
  const bodies: TaskChange[] = [];
  for (const change of changes) {
    const { before, after } = change;
    const waits = after.state === "pending";
    // Once promoted, it stays in its lane, although the record still tells of the back-off.
    const ready = !waits ? null : after.notBeforeAtMs === undefined ? 1 : (before.ready ?? 0);
    const isOrphan = after.holder === undefined && (after.state === "scheduled" || after.state === "running");
    const values = progressOf(after, ready, isOrphan ? nowMs : null);
    const row: Record<string, SqlValue> = { id: after.id };
    PROGRESS_COLUMNS.forEach((column, index) => {
      row[column] = values[index] ?? null;
    });
    rows[isTerminal(after.state) ? "end" : "update"].push(row);
    lanes.add(after, Number(waits) - Number(before.task.state === "pending"));
    if (change.result !== undefined) bodies.push(change);
  }
  const sent: Promise<unknown>[] = [];
  for (const kind of ["update", "end"] as const)
    if (rows[kind].length > 0) sent.push(tx.query(sql[kind], [JSON.stringify(rows[kind])]));
  if (bodies.length > 0) {
    const values = [bodies.map(({ before }) => before.seq), bodies.map(({ result }) => result)];
    sent.push(tx.query(sql.keepResults, values));
  }
  sent.push(lanes.write({ tx, sql }));
  await Promise.all(sent);
}

/** What a transaction changed in the lanes, written once for each. */
class LaneChanges {
  readonly #lanes = new Map<string, { model: string; background: 0 | 1; waiting: number; bytes: number }>();

  /** A task came to its lane (1), left it (-1) or stayed where it was (0). */
  add({ model, background, payload }: TaskRecord, waiting: number): void {
    if (waiting === 0) return;
    const key = `${background ? 1 : 0}${model}`;
    const lane = this.#lanes.get(key) ?? { model, background: background ? 1 : 0, waiting: 0, bytes: 0 };
    lane.waiting += waiting;
    lane.bytes += waiting * payload.sizeBytes;
    this.#lanes.set(key, lane);
  }

  async write({ tx, sql }: Pick<Session, "tx" | "sql">): Promise<void> {
    const lanes = [...this.#lanes.values()];
    if (lanes.length === 0) return;
    await tx.query(sql.changeLanes, [
      lanes.map(({ model }) => model),
      lanes.map(({ background }) => background),
      lanes.map(({ waiting }) => waiting),
      lanes.map(({ bytes }) => bytes),
    ]);
  }
}
