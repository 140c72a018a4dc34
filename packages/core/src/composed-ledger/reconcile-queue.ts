import { type Checkpoint, noCheckpoint } from "../checkpoint.ts";
import { systemClock } from "../clock.ts";
import type { Clock } from "../contracts/clock.ts";
import type { OperationOptions } from "../contracts/common.ts";
import type { Queue } from "../contracts/queue.ts";
import type { TaskRecord } from "../contracts/task.ts";
import type { TaskStore } from "../contracts/task-store.ts";
import { GatewayError } from "../errors.ts";
import { IdSketch } from "./id-sketch.ts";
import { queueEntryOf } from "./queue-entry.ts";

export interface ReconcileQueueOptions {
  readonly clock?: Clock | undefined;
  readonly checkpoint?: Checkpoint | undefined;
  /** Tasks that one step reads at most; 1 to 1000. Default 1,000. */
  readonly pageSize?: number | undefined;
  /** Pause between two slow comparisons. Default 10,000. */
  readonly auditPauseMs?: number | undefined;
}

export interface QueueReconciliation {
  /** Reads at most one page of the store or the queue; resolves whether more should follow at once. */
  step(options?: OperationOptions): Promise<boolean>;
  /** Enqueues everything that waits again, from the next step on. */
  refill(): void;
}

/**
 * - `refill`: everything that waits is enqueued again. At the start, when the queue's incarnation changed, on demand.
 * - `audit`: walks the queue; takes out what waits no longer and remembers what is there.
 * - `compare`: walks what waited in the store when the audit began; enqueues what the audit did not meet.
 */
type Phase =
  | { readonly kind: "rest"; readonly untilMs: number }
  | { readonly kind: "refill"; readonly cursor?: string | undefined }
  | {
      readonly kind: "audit" | "compare";
      readonly cursor?: string | undefined;
      readonly seen: IdSketch;
      /** The newest task when the audit began; by the store's clock, since it is compared with nothing else. */
      readonly newestAtMs: number;
    };

type Walk = Extract<Phase, { kind: "audit" | "compare" }>;

/**
 * Brings the queue back to what the store says, step by step. It needs no lock: an entry too many turns out to be gone
 * when it is claimed, and to enqueue one twice keeps one. A step that rejects is taken again by the next.
 */
export function reconcileQueue(
  store: TaskStore,
  queue: Queue,
  options: ReconcileQueueOptions = {},
): QueueReconciliation {
  const { clock = systemClock, checkpoint = noCheckpoint, pageSize = 1000, auditPauseMs = 10_000 } = options;
  if (!(Number.isInteger(pageSize) && pageSize >= 1 && pageSize <= 1000)) {
    throw new GatewayError(
      "INVALID_OPTIONS",
      `pageSize must be an integer from 1 to 1000; it is ${pageSize}`,
      {
        details: { field: "pageSize" },
      },
    );
  }
  let incarnation: string | undefined;
  let phase: Phase = { kind: "refill" };
  let isRefillWanted = false;
  let isStepping = false;
  let audits = 0;

  const rest = (): Phase => ({ kind: "rest", untilMs: clock.monotonic() + auditPauseMs });

  async function enqueue(tasks: readonly TaskRecord[], wait: OperationOptions): Promise<void> {
    if (tasks.length === 0) return;
    const nowMs = clock.now();
    const entries = tasks.map((task) => queueEntryOf(task, nowMs));
    await checkpoint("reconciler.enqueue", queue.enqueue(entries, wait));
  }

  async function refillPage(cursor: string | undefined, wait: OperationOptions): Promise<Phase> {
    const request = { filter: { states: ["pending"] as const }, cursor, limit: pageSize };
    const page = await checkpoint("reconciler.list", store.list(request, wait));
    await enqueue(page.items, wait);
    return page.nextCursor === undefined ? rest() : { kind: "refill", cursor: page.nextCursor };
  }

  async function beginAudit(wait: OperationOptions): Promise<Phase> {
    const newest = await checkpoint("reconciler.list", store.list({ limit: 1 }, wait));
    const { waiting, delivered } = await checkpoint("reconciler.audit", queue.stats(wait));
    audits += 1;
    // Another seed each time, so that an id that was taken for another is found by the next comparison.
    const seen = new IdSketch(waiting + delivered, audits);
    return { kind: "audit", seen, newestAtMs: newest.items[0]?.createdAtMs ?? Number.NEGATIVE_INFINITY };
  }

  async function auditPage(walk: Walk, wait: OperationOptions): Promise<Phase> {
    const page = await checkpoint("reconciler.audit", queue.audit(walk.cursor, pageSize, wait));
    for (const id of page.items) walk.seen.add(id);
    const tasks =
      page.items.length === 0 ? [] : await checkpoint("reconciler.compare", store.get(page.items, wait));
    const stale = page.items.filter((_, at) => tasks[at]?.state !== "pending");
    if (stale.length > 0) {
      await checkpoint("reconciler.remove", queue.remove(stale, wait));
      // One that began to wait again meanwhile was enqueued by whoever handed it back, and has just been taken out.
      const again = await checkpoint("reconciler.compare", store.get(stale, wait));
      await enqueue(again.filter((task) => task?.state === "pending") as TaskRecord[], wait);
    }
    if (page.nextCursor !== undefined) return { ...walk, cursor: page.nextCursor };
    return { ...walk, kind: "compare", cursor: undefined };
  }

  async function comparePage(walk: Walk, wait: OperationOptions): Promise<Phase> {
    const filter = { states: ["pending"] as const, createdBeforeMs: walk.newestAtMs + 1 };
    const request = { filter, cursor: walk.cursor, limit: pageSize };
    const page = await checkpoint("reconciler.list", store.list(request, wait));
    await enqueue(
      page.items.filter((task) => !walk.seen.mayHave(task.id)),
      wait,
    );
    return page.nextCursor === undefined ? rest() : { ...walk, cursor: page.nextCursor };
  }

  async function next(wait: OperationOptions): Promise<Phase> {
    switch (phase.kind) {
      case "refill":
        return await refillPage(phase.cursor, wait);
      case "audit":
        return await auditPage(phase, wait);
      case "compare":
        return await comparePage(phase, wait);
      case "rest":
        return clock.monotonic() < phase.untilMs ? phase : await beginAudit(wait);
    }
  }

  return {
    async step(wait = {}) {
      // Whoever comes while a step is under way has nothing to wait for.
      if (isStepping) return false;
      isStepping = true;
      try {
        // Looked at before the entries are written, so that a loss after that is a change seen by the next step.
        const current = await checkpoint("reconciler.incarnation", queue.incarnation(wait));
        if (current !== incarnation || isRefillWanted) phase = { kind: "refill" };
        incarnation = current;
        isRefillWanted = false;
        phase = await next(wait);
        return phase.kind === "refill";
      } finally {
        isStepping = false;
      }
    },
    refill() {
      isRefillWanted = true;
    },
  };
}
