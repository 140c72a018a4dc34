import type { Checkpoint } from "../checkpoint.ts";
import type { Clock } from "../contracts/clock.ts";
import type { OperationOptions } from "../contracts/common.ts";
import type { LaneStats } from "../contracts/ledger.ts";
import type { Queue, QueueLane } from "../contracts/queue.ts";
import type { TaskRecord } from "../contracts/task.ts";
import type { TaskStore } from "../contracts/task-store.ts";
import { lanesOf } from "./lane-fill.ts";
import { listDue } from "./list-due.ts";

export interface LaneWatchOptions {
  readonly store: Pick<TaskStore, "stats" | "list">;
  readonly queue: Pick<Queue, "stats">;
  readonly clock: Clock;
  readonly checkpoint: Checkpoint;
  readonly random: () => number;
  /** A lane that was filled is not filled again for so long. */
  readonly fillPauseMs: number;
}

/** What a look found. */
export interface Findings {
  /** Lanes whose entries were lost, to be filled again. */
  readonly lost: readonly QueueLane[];
  /** The first tasks of lanes that do not get on. */
  readonly stuck: readonly TaskRecord[];
}

/** Between a suspicion and the second look at it. */
const CONFIRM_MS = 200;
/** Entries of one lane that may be missing: submits between store and queue, deliveries that are being claimed. */
const SLACK = 100;
const SLACK_SHARE = 0.5;
/** How long the first task of a lane may stay the first before it is enqueued again; doubled each time. */
const STUCK_AFTER_PAUSES = 3;
const STUCK_TASKS = 100;

interface Suspicion {
  /** The first due task of lanes in which nothing is ready, by lane. */
  readonly dry: ReadonlyMap<string, { readonly lane: QueueLane; readonly id: string }>;
  /** Lanes in which far fewer entries are ready than tasks wait: how many. */
  readonly short: ReadonlyMap<string, number>;
}

interface First {
  readonly rank: number;
  atMs: number;
  patienceMs: number;
}

/**
 * Finds what a queue has lost whose entries cannot be walked, by counts alone. Something is lost when it shows at two
 * looks, a moment apart:
 *
 * - nothing is ready in a lane, and the same task is the first one due in it;
 * - far fewer entries are ready than tasks wait, and nobody is filling the lane.
 *
 * What is lost in a lane that never runs dry becomes its first task some day, and stays it: such tasks are enqueued
 * again from time to time. So an entry that lies in a low band for long moves up as well.
 */
export class LaneWatch {
  readonly #options: LaneWatchOptions;
  readonly #filledAtMs = new Map<string, number>();
  readonly #firsts = new Map<string, First>();

  constructor(options: LaneWatchOptions) {
    this.#options = options;
  }

  async look(wait: OperationOptions): Promise<Findings> {
    const { store, checkpoint } = this.#options;
    const { lanes } = await checkpoint("reconciler.look", store.stats(wait));
    const lost = lanes.length === 0 ? [] : await this.#lookForLost(lanes, wait);
    const stuck = this.#stuck(lanes, new Set(lost.map(({ lane }) => lane)));
    return { lost, stuck: stuck.length === 0 ? [] : await this.#firstOf(stuck, STUCK_TASKS, wait) };
  }

  async #lookForLost(lanes: readonly LaneStats[], wait: OperationOptions): Promise<QueueLane[]> {
    const first = await this.#suspicions(this.#fillable(lanes), wait);
    if (first.dry.size + first.short.size === 0) return [];
    await this.#pause(wait);
    const suspected = new Set([
      ...first.short.keys(),
      ...[...first.dry.values()].map((each) => each.lane.lane),
    ]);
    const { lanes: now } = await this.#options.checkpoint("reconciler.look", this.#options.store.stats(wait));
    const second = await this.#suspicions(
      now.filter(({ model }) => suspected.has(model)),
      wait,
    );
    const lost = new Map<string, QueueLane>();
    for (const [key, { lane, id }] of second.dry) if (first.dry.get(key)?.id === id) lost.set(key, lane);
    for (const [model, ready] of second.short) {
      const before = first.short.get(model);
      // More than before: another gateway is filling it.
      if (before === undefined || ready > before) continue;
      for (const lane of lanesOf([{ model }])) lost.set(keyOf(lane), lane);
    }
    const nowMs = this.#options.clock.monotonic();
    for (const { lane } of lost.values()) this.#filledAtMs.set(lane, nowMs);
    return [...lost.values()];
  }

  #fillable(lanes: readonly LaneStats[]): LaneStats[] {
    const { clock, fillPauseMs } = this.#options;
    const sinceMs = clock.monotonic() - fillPauseMs;
    for (const [lane, atMs] of this.#filledAtMs) if (atMs <= sinceMs) this.#filledAtMs.delete(lane);
    return lanes.filter(({ model, firstRank }) => firstRank !== undefined && !this.#filledAtMs.has(model));
  }

  async #suspicions(lanes: readonly LaneStats[], wait: OperationOptions): Promise<Suspicion> {
    const { queue, checkpoint } = this.#options;
    const dry = new Map<string, { lane: QueueLane; id: string }>();
    const short = new Map<string, number>();
    if (lanes.length === 0) return { dry, short };
    const asked = lanesOf(lanes);
    const { waiting, ready = [] } = await checkpoint(
      "reconciler.look",
      queue.stats({ ...wait, lanes: asked }),
    );
    // Whatever else waits there may be delayed entries of any of these lanes.
    const others = Math.max(0, waiting - ready.reduce((sum, count) => sum + count, 0));
    lanes.forEach((lane, at) => {
      const count = (ready[2 * at] ?? 0) + (ready[2 * at + 1] ?? 0);
      const missing = lane.waiting - count - others;
      if (missing > Math.max(SLACK, lane.waiting * SLACK_SHARE)) short.set(lane.model, count);
    });
    const empty = asked.filter((_, at) => (ready[at] ?? 0) === 0);
    for (const { id, model, background } of await this.#firstOf(empty, 1, wait)) {
      const lane = { lane: model, background };
      if (!dry.has(keyOf(lane))) dry.set(keyOf(lane), { lane, id });
    }
    return { dry, short };
  }

  async #firstOf(
    lanes: readonly QueueLane[],
    max: number,
    wait: OperationOptions,
  ): Promise<readonly TaskRecord[]> {
    if (lanes.length === 0) return [];
    const due = lanes.map((lane) => ({ ...lane, max }));
    const { store, checkpoint } = this.#options;
    return (await checkpoint("reconciler.look", listDue(store, due, undefined, wait))).items;
  }

  /** Lanes whose first task has been the first for long. */
  #stuck(lanes: readonly LaneStats[], filled: ReadonlySet<string>): QueueLane[] {
    const nowMs = this.#options.clock.monotonic();
    const patienceMs = STUCK_AFTER_PAUSES * this.#options.fillPauseMs;
    const present = new Map(lanes.map((lane) => [lane.model, lane]));
    for (const model of this.#firsts.keys()) if (!present.has(model)) this.#firsts.delete(model);
    const stuck: { model: string }[] = [];
    for (const { model, firstRank } of lanes) {
      const first = this.#firsts.get(model);
      if (firstRank === undefined) this.#firsts.delete(model);
      else if (first?.rank !== firstRank || filled.has(model))
        this.#firsts.set(model, { rank: firstRank, atMs: nowMs, patienceMs });
      else if (nowMs - first.atMs >= first.patienceMs) {
        stuck.push({ model });
        first.atMs = nowMs;
        first.patienceMs *= 2;
      }
    }
    return lanesOf(stuck);
  }

  /** Of a random length, so that one of several gateways fills what all of them miss, and the others see it. */
  async #pause({ signal }: OperationOptions): Promise<void> {
    const { clock, checkpoint, random } = this.#options;
    const pause = new Promise<void>((resolve, reject) => {
      const cancel = clock.after(CONFIRM_MS * (0.5 + random()), () => {
        signal?.removeEventListener("abort", onAbort);
        resolve();
      });
      const onAbort = (): void => {
        cancel();
        reject(signal?.reason);
      };
      signal?.addEventListener("abort", onAbort, { once: true });
    });
    await checkpoint("reconciler.look", pause);
  }
}

function keyOf({ lane, background }: QueueLane): string {
  return `${background ? "b" : "f"}${lane}`;
}
