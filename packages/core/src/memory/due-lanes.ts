import type { Page } from "../contracts/common.ts";
import type { TaskRecord } from "../contracts/task.ts";
import type { DueLane, DueListRequest } from "../contracts/task-store.ts";
import { GatewayError } from "../errors.ts";
import { compareRank } from "../scheduler/rank.ts";
import type { LaneIndex } from "./lane-index.ts";

const MAX_PER_LANE = 1000;

/** What is due, in order, of a store whose index has no place to go on from: a walk sorts its lane once. */
export class DueLanes {
  readonly #index: LaneIndex;
  readonly #read: (id: string) => TaskRecord | undefined;
  readonly #waiting: () => Iterable<string>;
  #walk: { readonly key: string; readonly tasks: readonly TaskRecord[] } | undefined;

  constructor(
    index: LaneIndex,
    read: (id: string) => TaskRecord | undefined,
    waiting: () => Iterable<string>,
  ) {
    this.#index = index;
    this.#read = read;
    this.#waiting = waiting;
  }

  list({ due, cursor }: DueListRequest, nowMs: number): Page<TaskRecord> {
    for (const { max } of due) {
      if (!Number.isInteger(max) || max < 1 || max > MAX_PER_LANE)
        throw badField("max", `an integer from 1 to ${MAX_PER_LANE}; it is ${max}`);
    }
    this.#index.promote(nowMs);
    const [only] = due;
    if (cursor !== undefined) {
      if (only === undefined || due.length > 1)
        throw badField("cursor", "left out unless one lane is asked for");
      return this.#goOn(only, cursor, nowMs);
    }
    if (due.length === 1) this.#walk = undefined;
    const open = this.#index.open();
    const items: TaskRecord[] = [];
    let hasMore = false;
    for (const { lane, background, max } of due) {
      const reader = open.lanes([lane], background);
      for (let count = 0; count < max; count += 1) {
        const task = this.#read(reader.next()?.id ?? "");
        if (task === undefined) break;
        items.push(task);
      }
      hasMore = reader.next() !== undefined;
    }
    open.settle();
    items.sort(compareRank);
    return { items, nextCursor: due.length === 1 && hasMore ? cursorOf(items.at(-1)) : undefined };
  }

  #goOn({ lane, background, max }: DueLane, cursor: string, nowMs: number): Page<TaskRecord> {
    const last = parseCursor(cursor);
    const key = `${background ? "b" : "f"}${lane}`;
    if (this.#walk?.key !== key) {
      const tasks: TaskRecord[] = [];
      for (const id of this.#waiting()) {
        const task = this.#read(id);
        if (task?.model === lane && task.background === background) tasks.push(task);
      }
      this.#walk = { key, tasks: tasks.sort(compareRank) };
    }
    const { tasks } = this.#walk;
    const items: TaskRecord[] = [];
    let at = firstAfter(tasks, last);
    for (; at < tasks.length && items.length < max; at += 1) {
      const task = this.#read(tasks[at]?.id ?? "");
      if (task?.state === "pending" && (task.notBeforeAtMs ?? 0) <= nowMs) items.push(task);
    }
    if (at < tasks.length) return { items, nextCursor: cursorOf(tasks[at - 1]) };
    this.#walk = undefined;
    return { items };
  }
}

type Place = Pick<TaskRecord, "rank" | "id">;

function cursorOf(task: Place | undefined): string | undefined {
  return task && `${task.rank}/${task.id}`;
}

function parseCursor(cursor: string): Place {
  const slash = cursor.indexOf("/");
  const rank = Number(cursor.slice(0, slash));
  if (slash < 1 || !Number.isFinite(rank)) throw badField("cursor", "one that a listing of a lane gave");
  return { rank, id: cursor.slice(slash + 1) };
}

function firstAfter(tasks: readonly Place[], last: Place): number {
  let low = 0;
  let high = tasks.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (compareRank(tasks[middle] as Place, last) <= 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

function badField(field: string, allowed: string): GatewayError {
  return new GatewayError("INVALID_REQUEST", `${field} must be ${allowed}`, { details: { field } });
}
