import type { TaskRecord } from "../contracts/task.ts";
import { Heap } from "../scheduler/heap.ts";
import type { LaneCursor, OpenLanes, WaitingTask } from "../scheduler/plan-grants.ts";
import { compareRank } from "../scheduler/rank.ts";

/** What the index knows of a waiting task. `notBeforeAtMs` is in whatever time `promote` is told. */
export type IndexedTask = Pick<TaskRecord, "id" | "model" | "rank" | "background" | "notBeforeAtMs">;

interface Entry extends WaitingTask {
  readonly background: boolean;
  readonly notBeforeAtMs: number;
  /** Where it lies; absent once it was taken out or replaced, and while a cursor has it. */
  shelf: Shelf | undefined;
  isLive: boolean;
}

/** Dead entries that a shelf may hold beyond its live ones before they are thrown out. */
const TOLERATED_DEAD = 64;

/** A heap whose entries die in their place; the dead never outnumber the living for long. */
class Shelf {
  #heap: Heap<Entry>;
  readonly #compare: (a: Entry, b: Entry) => number;
  #dead = 0;

  constructor(compare: (a: Entry, b: Entry) => number) {
    this.#compare = compare;
    this.#heap = new Heap(compare);
  }

  get size(): number {
    return this.#heap.size;
  }

  get live(): number {
    return this.size - this.#dead;
  }

  push(entry: Entry): void {
    entry.shelf = this;
    this.#heap.push(entry);
  }

  /** The first live entry. */
  peek(): Entry | undefined {
    for (;;) {
      const top = this.#heap.peek();
      if (top === undefined || top.isLive) return top;
      this.#heap.pop();
      this.#dead -= 1;
    }
  }

  pop(): Entry | undefined {
    const top = this.peek();
    if (top === undefined) return undefined;
    top.shelf = undefined;
    return this.#heap.pop();
  }

  /** An entry of this shelf has died. */
  buried(): void {
    this.#dead += 1;
    if (this.#dead <= this.live + TOLERATED_DEAD) return;
    const heap = new Heap(this.#compare);
    for (const entry of this.#heap) if (entry.isLive) heap.push(entry);
    this.#heap = heap;
    this.#dead = 0;
  }
}

const laneKey = (model: string, background: boolean): string => `${background ? "b" : "f"}${model}`;

/** The waiting tasks in the order in which they are granted. */
export class LaneIndex {
  readonly #lanes = new Map<string, Shelf>();
  readonly #delayed = new Shelf((a, b) => a.notBeforeAtMs - b.notBeforeAtMs || compareRank(a, b));
  readonly #live = new Map<string, Entry>();

  /** Entries that memory is used for, the dead included. */
  get size(): number {
    let size = this.#delayed.size;
    for (const lane of this.#lanes.values()) size += lane.size;
    return size;
  }

  /** Puts a waiting task in its place; replaces the one it had. */
  add(task: IndexedTask): void {
    this.remove(task.id);
    const { id, model, rank, background, notBeforeAtMs = 0 } = task;
    const entry: Entry = { id, model, rank, background, notBeforeAtMs, shelf: undefined, isLive: true };
    this.#live.set(id, entry);
    if (notBeforeAtMs > 0) this.#delayed.push(entry);
    else this.#pushReady(entry);
  }

  remove(id: string): void {
    const entry = this.#live.get(id);
    if (entry === undefined) return;
    const { shelf } = entry;
    entry.isLive = false;
    entry.shelf = undefined;
    this.#live.delete(id);
    shelf?.buried();
    if (shelf !== this.#delayed && shelf?.live === 0)
      this.#lanes.delete(laneKey(entry.model, entry.background));
  }

  /** Moves what has waited out its back-off to its lane; resolves when the next one is due, if any. */
  promote(nowMs: number): number | undefined {
    for (;;) {
      const entry = this.#delayed.peek();
      if (entry === undefined) return undefined;
      if (entry.notBeforeAtMs > nowMs) return entry.notBeforeAtMs - nowMs;
      this.#delayed.pop();
      this.#pushReady(entry);
    }
  }

  /** The lowest rank of what is ready for a model, background or not. */
  firstRank(model: string): number | undefined {
    const ranks = [false, true].flatMap((background) => {
      return this.#lanes.get(laneKey(model, background))?.peek()?.rank ?? [];
    });
    return ranks.length === 0 ? undefined : Math.min(...ranks);
  }

  /** Follows a change of a task. */
  follow(before: TaskRecord | undefined, after: TaskRecord | undefined): void {
    if (after?.state !== "pending") {
      if (before?.state === "pending") this.remove(before.id);
    } else if (before?.state !== "pending" || before.rank !== after.rank) this.add(after);
  }

  /** Cursors for one plan. What they read and the plan did not take is put back by `settle`. */
  open(): { readonly lanes: OpenLanes; settle(): void } {
    const read: Entry[] = [];
    const lanes: OpenLanes = (models, background) => this.#cursor(models, background, read);
    const settle = (): void => {
      for (const entry of read) {
        const key = laneKey(entry.model, entry.background);
        if (entry.isLive) this.#pushReady(entry);
        else if (this.#lanes.get(key)?.live === 0) this.#lanes.delete(key);
      }
    };
    return { lanes, settle };
  }

  #cursor(models: readonly string[], background: boolean, read: Entry[]): LaneCursor {
    const heads = new Heap<Shelf>((a, b) => compareRank(a.peek() as Entry, b.peek() as Entry));
    for (const model of models) {
      const lane = this.#lanes.get(laneKey(model, background));
      if (lane?.peek() !== undefined) heads.push(lane);
    }
    return {
      next: () => {
        const lane = heads.pop();
        const entry = lane?.pop();
        if (lane === undefined || entry === undefined) return undefined;
        if (lane.peek() !== undefined) heads.push(lane);
        read.push(entry);
        return entry;
      },
    };
  }

  #pushReady(entry: Entry): void {
    const key = laneKey(entry.model, entry.background);
    let lane = this.#lanes.get(key);
    if (lane === undefined) {
      lane = new Shelf(compareRank);
      this.#lanes.set(key, lane);
    }
    lane.push(entry);
  }
}
