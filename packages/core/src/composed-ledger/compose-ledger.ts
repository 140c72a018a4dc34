import { type Checkpoint, noCheckpoint } from "../checkpoint.ts";
import { systemClock } from "../clock.ts";
import type { Clock } from "../contracts/clock.ts";
import type { ExchangeRequest, Ledger, SweepReply } from "../contracts/ledger.ts";
import type { Queue, QueueEntry } from "../contracts/queue.ts";
import type { TaskRecord } from "../contracts/task.ts";
import type { TaskStore } from "../contracts/task-store.ts";
import { GatewayError } from "../errors.ts";
import { openness } from "../openness.ts";
import { isTerminal } from "../tasks/task-state.ts";
import { boundedQueue } from "./bounded-queue.ts";
import { type GrantHost, grantWaiting } from "./grant-waiting.ts";
import { QueueCall, type QueueHost } from "./queue-call.ts";
import { queueEntryOf } from "./queue-entry.ts";
import { reconcileQueue } from "./reconcile-queue.ts";

export interface ComposeLedgerOptions {
  /** Default: the host's time. */
  readonly clock?: Clock | undefined;
  /** For simulations. */
  readonly checkpoint?: Checkpoint | undefined;
  /** In [0, 1). Default `Math.random`. */
  readonly random?: (() => number) | undefined;
  /** How long a delivery that a crash left behind stays out of sight. Default 10,000. */
  readonly visibilityMs?: number | undefined;
  /** How long the ledger waits for one answer of the queue before it goes on without. Default 2,000. */
  readonly queueTimeoutMs?: number | undefined;
  /** Tasks of one page that a sweep compares or enqueues again, and it does ten at most; 1 to 1000. Default 1,000. */
  readonly pageSize?: number | undefined;
  /**
   * Pause between two slow comparisons of store and queue; where the queue's entries are not keyed, between two fills
   * of the same lane. Default 10,000.
   */
  readonly auditPauseMs?: number | undefined;
  /** The queue failed; the ledger goes on and heals it. `operation` is the name of a checkpoint. */
  readonly onQueueFailure?: ((operation: string, error: unknown) => void) | undefined;
}

/** How long a queue that hung is left alone by all but the reconciliation. */
const AWAY_MS = 1_000;

/**
 * A ledger of a store, which holds the truth, and a queue, which holds an order and may lose everything.
 *
 * Every change is made in the store first and told to the queue after. What a crash between the two leaves behind is
 * either an entry too many, which turns out to be gone when it is claimed, or one too few, which comes back with its
 * visibility timeout or by the reconciliation that `sweep` drives, a few pages for each call. While the queue is away
 * an exchange takes what is due from the store instead: one page of the lanes that it wants.
 *
 * `close` closes neither: both were handed in.
 */
export function composeLedger(store: TaskStore, queue: Queue, options: ComposeLedgerOptions = {}): Ledger {
  const { clock = systemClock, checkpoint = noCheckpoint, onQueueFailure = () => {} } = options;
  const visibilityMs = positive("visibilityMs", options.visibilityMs ?? 10_000);
  const queueTimeoutMs = positive("queueTimeoutMs", options.queueTimeoutMs ?? 2000);
  let awayUntilMs = Number.NEGATIVE_INFINITY;
  const bounded = boundedQueue(queue, clock, queueTimeoutMs, () => {
    awayUntilMs = clock.monotonic() + AWAY_MS;
  });
  const { pageSize, auditPauseMs, random } = options;
  const reconciliation = reconcileQueue(store, bounded, {
    ...{ clock, checkpoint, random, pageSize, auditPauseMs },
  });
  const pending = new Set<Promise<void>>();
  const host: QueueHost & GrantHost = {
    store,
    queue: bounded,
    checkpoint,
    clock,
    visibilityMs,
    onFailure: onQueueFailure,
    onLost: reconciliation.lost,
    isAway: () => clock.monotonic() < awayUntilMs,
    later: (work) => {
      pending.add(work);
      void work.finally(() => pending.delete(work));
    },
  };
  const guard = openness("composed ledger");
  const entriesOf = (tasks: readonly TaskRecord[]): QueueEntry[] => {
    const nowMs = clock.now();
    return tasks.map((task) => queueEntryOf(task, nowMs));
  };

  return {
    capabilities: {
      shared: store.capabilities.shared && queue.capabilities.shared,
      durable: store.capabilities.durable,
      order: queue.capabilities.order,
      inOrder: false,
    },
    submit: guard.wrap(async (batch, { signal } = {}) => {
      const outcomes = await checkpoint("ledger.insert", store.insert(batch, { signal }));
      const waiting = outcomes.flatMap((item) => {
        return item.outcome === "accepted" && item.task.state === "pending" ? [item.task] : [];
      });
      await new QueueCall(host, signal).enqueue("ledger.enqueue-new", entriesOf(waiting));
      return outcomes;
    }),
    exchange: guard.wrap(async (request, { signal } = {}) => {
      const { want, ...rest } = request;
      const servers = want.map(({ server }) => server);
      const applied = await checkpoint("ledger.apply", store.apply({ ...rest, servers }, { signal }));
      const call = new QueueCall(host, signal);
      const returned = withinAskedDelays(request, entriesOf(applied.returned));
      await call.enqueue("ledger.enqueue-returned", returned);
      const waited =
        applied.repeated || want.length === 0
          ? undefined
          : await grantWaiting(host, call, request, applied, signal);
      const grants = [...applied.grants, ...(waited?.grants ?? [])];
      return {
        sequence: request.sequence,
        nowMs: applied.nowMs,
        settled: applied.settled,
        renewed: applied.renewed,
        grants,
        // Looked up before the grants: a task that was waiting then may have a holder now.
        orphanHolds: applied.orphanHolds,
        nextDueInMs: earliest([waited?.nextDueInMs, ...returned.map(({ delayMs }) => delayMs)]),
      };
    }),
    get: guard.wrap((ids, bodies) => store.get(ids, bodies)),
    list: guard.wrap((request, wait) => store.list(request, wait)),
    amend: guard.wrap(async (batch, { signal } = {}) => {
      const outcomes = await checkpoint("ledger.amend", store.amend(batch, { signal }));
      const tasks = outcomes.flatMap(({ task }) => (task === undefined ? [] : [task]));
      const call = new QueueCall(host, signal);
      await call.enqueue("ledger.requeue", entriesOf(tasks.filter((task) => task.state === "pending")));
      await call.remove("ledger.remove", endedIds(tasks));
      return outcomes;
    }),
    sweep: guard.wrap(async (request, { signal } = {}): Promise<SweepReply> => {
      // Before the sweep, whose reply must not be lost to a failure of this.
      const hasMore = await reconciliation.step({ signal }).catch((error: unknown) => {
        signal?.throwIfAborted();
        onQueueFailure("reconcile", error);
        return false;
      });
      const swept = await checkpoint("ledger.sweep", store.sweep(request, { signal }));
      const call = new QueueCall(host, signal);
      await call.enqueue("ledger.enqueue-swept", entriesOf(swept.returned));
      await call.remove("ledger.remove", endedIds(swept.ended));
      return hasMore ? { ...swept, more: true } : swept;
    }),
    stats: guard.wrap((wait) => store.stats(wait)),
    async close() {
      await guard.close();
      await Promise.all(pending);
    },
  };
}

/** No entry waits longer than this request asked for, whatever the clocks say. */
function withinAskedDelays(request: ExchangeRequest, entries: readonly QueueEntry[]): QueueEntry[] {
  const delays = new Map<string, number>();
  for (const item of request.settle) if (item.kind === "returned") delays.set(item.id, item.delayMs);
  return entries.map((entry) => {
    return { ...entry, delayMs: Math.min(entry.delayMs, delays.get(entry.id) ?? entry.delayMs) };
  });
}

function endedIds(tasks: readonly TaskRecord[]): string[] {
  return tasks.filter((task) => isTerminal(task.state)).map((task) => task.id);
}

function earliest(delays: readonly (number | undefined)[]): number | undefined {
  const waits = delays.filter((delayMs): delayMs is number => delayMs !== undefined && delayMs > 0);
  return waits.length === 0 ? undefined : Math.min(...waits);
}

function positive(field: string, value: number): number {
  if (value > 0 && Number.isFinite(value)) return value;
  throw new GatewayError("INVALID_OPTIONS", `${field} must be above 0; it is ${value}`, {
    details: { field },
  });
}
