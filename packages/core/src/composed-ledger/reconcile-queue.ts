import { type Checkpoint, noCheckpoint } from "../checkpoint.ts";
import { systemClock } from "../clock.ts";
import type { Clock } from "../contracts/clock.ts";
import type { OperationOptions } from "../contracts/common.ts";
import type { Queue } from "../contracts/queue.ts";
import type { TaskRecord } from "../contracts/task.ts";
import type { TaskStore } from "../contracts/task-store.ts";
import { GatewayError } from "../errors.ts";
import { LaneFill, lanesOf } from "./lane-fill.ts";
import { LaneWatch } from "./lane-watch.ts";
import { queueEntryOf } from "./queue-entry.ts";
import { SlowComparison } from "./slow-comparison.ts";

export interface ReconcileQueueOptions {
  readonly clock?: Clock | undefined;
  readonly checkpoint?: Checkpoint | undefined;
  /** In [0, 1). Default `Math.random`. */
  readonly random?: (() => number) | undefined;
  /** Tasks of one page; 1 to 1000. Default 1,000. */
  readonly pageSize?: number | undefined;
  /** Pause between two slow comparisons, and between two fills of one lane. Default 10,000. */
  readonly auditPauseMs?: number | undefined;
}

export interface QueueReconciliation {
  /** Reads at most ten pages of the store or the queue; resolves whether more should follow at once. */
  step(options?: OperationOptions): Promise<boolean>;
  /** These may not have reached the queue; the next step enqueues what still waits of them. */
  lost(ids: readonly string[]): void;
}

/** Lost ids that are remembered one by one; with more of them everything is enqueued again. */
const MAX_LOST = 10_000;
/** Pages of a fill that one step writes, so that 100,000 tasks take seconds and a sweep is held up for less. */
const PAGES_PER_STEP = 10;
/** Pause between two looks at the counts of a queue that cannot be walked. */
const LOOK_PAUSE_MS = 500;

/**
 * Brings the queue back to what the store says, step by step. It needs no lock: an entry too many turns out to be gone
 * when it is claimed. A step that rejects is taken again by the next.
 *
 * 1. What a call could not enqueue is enqueued.
 * 2. At the start and when the queue's incarnation changed, everything that waits is.
 * 3. Then, from time to time: a queue whose entries are keyed is walked and compared with the store; of one whose
 *    entries are not, the counts are looked at, and lanes are filled again that have lost theirs. At its start such a
 *    queue is only looked at, since whatever is enqueued again is there twice.
 */
export function reconcileQueue(
  store: TaskStore,
  queue: Queue,
  options: ReconcileQueueOptions = {},
): QueueReconciliation {
  const { clock = systemClock, checkpoint = noCheckpoint, random = Math.random } = options;
  const { pageSize = 1000, auditPauseMs = 10_000 } = options;
  if (!(Number.isInteger(pageSize) && pageSize >= 1 && pageSize <= 1000)) {
    throw new GatewayError(
      "INVALID_OPTIONS",
      `pageSize must be an integer from 1 to 1000; it is ${pageSize}`,
      { details: { field: "pageSize" } },
    );
  }
  const { keyed } = queue.capabilities;
  let incarnation: string | undefined;
  let fill: LaneFill | undefined;
  let isFillWanted = false;
  let isStepping = false;
  let restUntilMs = Number.NEGATIVE_INFINITY;
  const lostIds = new Set<string>();

  async function enqueue(tasks: readonly TaskRecord[], wait: OperationOptions): Promise<void> {
    if (tasks.length === 0) return;
    const nowMs = clock.now();
    const entries = tasks.map((task) => queueEntryOf(task, nowMs));
    await checkpoint("reconciler.enqueue", queue.enqueue(entries, wait));
  }

  const comparison = new SlowComparison({ store, queue, checkpoint, pageSize, enqueue });
  const watch = new LaneWatch({ store, queue, clock, checkpoint, random, fillPauseMs: auditPauseMs });
  const fillHost = {
    store,
    pageSize,
    enqueue,
    read: <T>(promise: Promise<T>): Promise<T> => checkpoint("reconciler.list", promise),
  };

  /** Resolves whether there are more. */
  async function enqueueLost(wait: OperationOptions): Promise<boolean> {
    const ids = [...lostIds].slice(0, pageSize);
    if (ids.length === 0) return false;
    const tasks = await checkpoint("reconciler.compare", store.get(ids, wait));
    await enqueue(tasks.filter((task) => task?.state === "pending") as TaskRecord[], wait);
    for (const id of ids) lostIds.delete(id);
    return lostIds.size > 0;
  }

  async function fillAll(wait: OperationOptions): Promise<LaneFill> {
    const { lanes } = await checkpoint("reconciler.list", store.stats(wait));
    const waiting = lanes.reduce((sum, lane) => sum + lane.waiting, 0);
    return new LaneFill(fillHost, lanesOf(lanes), waiting);
  }

  async function goOnFilling(pages: LaneFill, wait: OperationOptions): Promise<LaneFill | undefined> {
    for (let page = 0; page < PAGES_PER_STEP; page += 1) if (!(await pages.next(wait))) return undefined;
    return pages;
  }

  async function compare(wait: OperationOptions): Promise<void> {
    if (clock.monotonic() < restUntilMs) return;
    if (keyed) {
      if (!(await comparison.next(wait))) restUntilMs = clock.monotonic() + auditPauseMs;
      return;
    }
    const { lost, stuck } = await watch.look(wait);
    restUntilMs = clock.monotonic() + LOOK_PAUSE_MS;
    if (lost.length > 0) fill = new LaneFill(fillHost, lost);
    await enqueue(stuck, wait);
  }

  async function step(wait: OperationOptions): Promise<boolean> {
    // Looked at before the entries are written, so that a loss after that is a change seen by the next step.
    const current = await checkpoint("reconciler.incarnation", queue.incarnation(wait));
    if (current !== incarnation && (keyed || incarnation !== undefined)) isFillWanted = true;
    incarnation = current;
    if (isFillWanted) {
      // Before the store is asked: what is lost meanwhile may be in a lane that it did not know yet.
      isFillWanted = false;
      lostIds.clear();
      comparison.reset();
      fill = await fillAll(wait).catch((error: unknown) => {
        isFillWanted = true;
        throw error;
      });
    }
    const hasMoreLost = await enqueueLost(wait);
    if (fill === undefined && !hasMoreLost) await compare(wait);
    if (fill === undefined) return hasMoreLost;
    fill = await goOnFilling(fill, wait);
    if (fill === undefined && keyed) restUntilMs = clock.monotonic() + auditPauseMs;
    return fill !== undefined || hasMoreLost;
  }

  return {
    async step(wait = {}) {
      // Whoever comes while a step is under way has nothing to wait for.
      if (isStepping) return false;
      isStepping = true;
      try {
        return await step(wait);
      } finally {
        isStepping = false;
      }
    },
    lost(ids) {
      for (const id of ids) lostIds.add(id);
      if (lostIds.size <= MAX_LOST) return;
      lostIds.clear();
      isFillWanted = true;
    },
  };
}
