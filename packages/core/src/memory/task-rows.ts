import type { Page } from "../contracts/common.ts";
import type {
  GetOptions,
  LaneStats,
  LedgerStats,
  ListRequest,
  OrphanHold,
  TaskFilter,
} from "../contracts/ledger.ts";
import type { BodyRef, ResultRef, TaskRecord } from "../contracts/task.ts";
import { GatewayError } from "../errors.ts";
import { isTerminal } from "../tasks/task-state.ts";
import type { LaneIndex } from "./lane-index.ts";

/** A task and the bytes that the ledger keeps for it, apart from each other so that a listing carries none. */
export interface Row {
  task: TaskRecord;
  payload: Uint8Array | undefined;
  result: Uint8Array | undefined;
}

/** Tells of every change, so that an index can follow. */
export type RowListener = (before: TaskRecord | undefined, after: TaskRecord | undefined) => void;

/** Whether an attempt takes a slot of its server. */
function takesSlot(task: TaskRecord): boolean {
  return task.state === "scheduled" && task.holder !== undefined && !task.recovering && !task.background;
}

/** The rows of a ledger in memory, with the counts and orders that are asked of them. */
export class TaskRows {
  readonly #rows = new Map<string, Row>();
  readonly #used = new Map<string, number>();
  readonly #lanes = new Map<string, { waiting: number; waitingBytes: number }>();
  readonly #counts = { scheduled: 0, running: 0 };
  /** Keys of all rows, oldest first; a removed row's stays until the next tidying. */
  #order: { createdAtMs: number; id: string }[] = [];
  readonly #listener: RowListener;
  readonly holds: Map<string, Omit<OrphanHold, "server">> = new Map();
  readonly held: Set<string> = new Set();
  readonly waiting: Set<string> = new Set();
  /** Ended tasks in the order of their endings: all, and those whose payload or result is still kept. */
  readonly ended: Readonly<Record<"rows" | "payloads" | "results", Set<string>>> = {
    rows: new Set(),
    payloads: new Set(),
    results: new Set(),
  };

  constructor(listener: RowListener = () => {}) {
    this.#listener = listener;
  }

  get(id: string): Row | undefined {
    return this.#rows.get(id);
  }

  /** The task with the bytes that the reader asked for. */
  read(id: string, bodies: NonNullable<GetOptions["bodies"]>): TaskRecord | undefined {
    const row = this.#rows.get(id);
    if (row === undefined || bodies === "none") return row?.task;
    if (bodies === "payload") return { ...row.task, payload: withInline(row.task.payload, row.payload) };
    const { result } = row.task;
    return result === undefined ? row.task : { ...row.task, result: withInline(result, row.result) };
  }

  insert(task: TaskRecord, payload: Uint8Array | undefined): void {
    this.#rows.set(task.id, { task, payload: copyOf(payload), result: undefined });
    const key = { createdAtMs: task.createdAtMs, id: task.id };
    let at = this.#order.length;
    while (at > 0 && isNewer(this.#order[at - 1] as typeof key, key)) at -= 1;
    const older = this.#order[at - 1];
    // A forgotten row's key may still be there when its id comes again.
    if (older?.id !== key.id || older.createdAtMs !== key.createdAtMs) this.#order.splice(at, 0, key);
    this.#account(undefined, task);
  }

  update(row: Row, task: TaskRecord): void {
    const before = row.task;
    row.task = stripInline(task);
    if (task.result?.inline !== undefined) row.result = copyOf(task.result.inline);
    this.#account(before, row.task);
  }

  remove(id: string): void {
    const row = this.#rows.get(id);
    if (row === undefined) return;
    this.#rows.delete(id);
    this.#account(row.task, undefined);
    if (this.#order.length > 2 * this.#rows.size + 64)
      this.#order = this.#order.filter((key) => this.#rows.has(key.id));
  }

  used(server: string): number {
    return this.#used.get(server) ?? 0;
  }

  /** Releases a server, if it is still this attempt's, or any attempt's of this task when none is named. */
  release(server: string, id: string, attempt?: number): void {
    const hold = this.holds.get(server);
    if (hold?.id === id && (attempt === undefined || hold.attempt === attempt)) this.holds.delete(server);
  }

  orphanHolds(servers: Iterable<string>): OrphanHold[] {
    const orphans: OrphanHold[] = [];
    for (const server of servers) {
      const hold = this.holds.get(server);
      if (hold !== undefined && !this.isLookedAfter(server, hold.id)) orphans.push({ server, ...hold });
    }
    return orphans;
  }

  /** Whether the task that took the server is still at work on it, or is to be recovered there. */
  isLookedAfter(server: string, id: string): boolean {
    const task = this.#rows.get(id)?.task;
    return (task?.state === "scheduled" || task?.state === "running") && task.server === server;
  }

  list(request: ListRequest): Page<TaskRecord> {
    const { filter = {}, limit = 100, cursor } = request;
    if (!Number.isInteger(limit) || limit < 1 || limit > 1000) {
      throw new GatewayError("INVALID_REQUEST", `limit must be an integer from 1 to 1000; it is ${limit}`, {
        details: { field: "limit" },
      });
    }
    const items: TaskRecord[] = [];
    let at = cursor === undefined ? this.#order.length : this.#indexBefore(parseCursor(cursor));
    while (--at >= 0) {
      const key = this.#order[at] as { createdAtMs: number; id: string };
      const task = this.#rows.get(key.id)?.task;
      if (task === undefined || task.createdAtMs !== key.createdAtMs || !matches(task, filter)) continue;
      items.push(task);
      if (items.length === limit)
        return { items, nextCursor: at > 0 ? `${key.createdAtMs}.${key.id}` : undefined };
    }
    return { items };
  }

  /** @param index of what waits, which follows these rows. */
  stats(index: Pick<LaneIndex, "firstRank">): LedgerStats {
    const lanes: LaneStats[] = [];
    for (const [model, lane] of this.#lanes) {
      const firstRank = index.firstRank(model);
      lanes.push(firstRank === undefined ? { model, ...lane } : { model, ...lane, firstRank });
    }
    return { lanes, ...this.#counts };
  }

  #indexBefore(key: { createdAtMs: number; id: string }): number {
    let low = 0;
    let high = this.#order.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (isNewer(key, this.#order[middle] as typeof key)) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #account(before: TaskRecord | undefined, after: TaskRecord | undefined): void {
    if (before !== undefined) this.#count(before, -1);
    if (after !== undefined) this.#count(after, 1);
    if (after === undefined) for (const set of Object.values(this.ended)) set.delete(before?.id ?? "");
    else if (isTerminal(after.state) && !(before !== undefined && isTerminal(before.state))) {
      for (const set of Object.values(this.ended)) set.add(after.id);
    }
    this.#listener(before, after);
  }

  #count(task: TaskRecord, sign: 1 | -1): void {
    const { id, state } = task;
    if (takesSlot(task) && task.server !== undefined)
      this.#used.set(task.server, this.used(task.server) + sign);
    if (state === "pending") {
      const lane = this.#lanes.get(task.model) ?? { waiting: 0, waitingBytes: 0 };
      lane.waiting += sign;
      lane.waitingBytes += sign * task.payload.sizeBytes;
      if (lane.waiting === 0) this.#lanes.delete(task.model);
      else this.#lanes.set(task.model, lane);
    }
    if (state === "scheduled" || state === "running") this.#counts[state] += sign;
    if (isTerminal(state)) return;
    const set = state === "pending" ? this.waiting : this.held;
    if (sign === 1) set.add(id);
    else set.delete(id);
  }
}

/** A record without the bytes, which the row keeps apart. */
function stripInline(task: TaskRecord): TaskRecord {
  if (task.result?.inline === undefined) return task;
  const { inline: _, ...result } = task.result;
  return { ...task, result };
}

/** What a caller does to its own bytes changes nothing here. (`slice` of a Buffer would share them.) */
function copyOf<T extends Uint8Array | undefined>(bytes: T): T {
  return (bytes === undefined ? undefined : new Uint8Array(bytes)) as T;
}

/** A body with a copy of its bytes, for a reader who asked. */
export function withInline<T extends BodyRef | ResultRef>(ref: T, inline: Uint8Array | undefined): T {
  return inline === undefined ? ref : { ...ref, inline: copyOf(inline) };
}

function isNewer(a: { createdAtMs: number; id: string }, b: { createdAtMs: number; id: string }): boolean {
  return a.createdAtMs > b.createdAtMs || (a.createdAtMs === b.createdAtMs && a.id > b.id);
}

function parseCursor(cursor: string): { createdAtMs: number; id: string } {
  const dot = cursor.indexOf(".");
  const createdAtMs = Number(cursor.slice(0, dot));
  if (dot < 1 || !Number.isFinite(createdAtMs)) {
    throw new GatewayError("INVALID_REQUEST", "cursor is not one that a listing gave", {
      details: { field: "cursor" },
    });
  }
  return { createdAtMs, id: cursor.slice(dot + 1) };
}

function matches(task: TaskRecord, filter: TaskFilter): boolean {
  return (
    (filter.states === undefined || filter.states.includes(task.state)) &&
    (filter.model === undefined || filter.model === task.model) &&
    (filter.operation === undefined || filter.operation === task.operation) &&
    (filter.owner === undefined || filter.owner === task.owner) &&
    (filter.createdFromMs === undefined || task.createdAtMs >= filter.createdFromMs) &&
    (filter.createdBeforeMs === undefined || task.createdAtMs < filter.createdBeforeMs)
  );
}
