import type { Checkpoint } from "../checkpoint.ts";
import type { OperationOptions } from "../contracts/common.ts";
import type { Queue } from "../contracts/queue.ts";
import type { TaskRecord } from "../contracts/task.ts";
import type { TaskStore } from "../contracts/task-store.ts";
import { IdSketch } from "./id-sketch.ts";

export interface SlowComparisonHost {
  readonly store: Pick<TaskStore, "list" | "get">;
  readonly queue: Pick<Queue, "stats" | "audit" | "remove">;
  readonly checkpoint: Checkpoint;
  readonly pageSize: number;
  readonly enqueue: (tasks: readonly TaskRecord[], wait: OperationOptions) => Promise<void>;
}

/**
 * - `audit`: walks the queue; takes out what waits no longer and remembers what is there.
 * - `compare`: walks what waited in the store when the audit began; enqueues what the audit did not meet.
 */
interface Walk {
  readonly kind: "audit" | "compare";
  readonly cursor?: string | undefined;
  readonly seen: IdSketch;
  /** The newest task when the audit began; by the store's clock, since it is compared with nothing else. */
  readonly newestAtMs: number;
}

/** Walks a queue whose entries are keyed, and then the store, and corrects the queue. A page that fails is read again. */
export class SlowComparison {
  readonly #host: SlowComparisonHost;
  #walk: Walk | undefined;
  #audits = 0;

  constructor(host: SlowComparisonHost) {
    this.#host = host;
  }

  /** The next begins anew. */
  reset(): void {
    this.#walk = undefined;
  }

  /** Begins, or reads one page; resolves whether there is more. */
  async next(wait: OperationOptions): Promise<boolean> {
    const walk = this.#walk;
    if (walk === undefined) this.#walk = await this.#begin(wait);
    else this.#walk = walk.kind === "audit" ? await this.#audit(walk, wait) : await this.#compare(walk, wait);
    return this.#walk !== undefined;
  }

  async #begin(wait: OperationOptions): Promise<Walk> {
    const { store, queue, checkpoint } = this.#host;
    const newest = await checkpoint("reconciler.list", store.list({ limit: 1 }, wait));
    const { waiting, delivered } = await checkpoint("reconciler.audit", queue.stats(wait));
    this.#audits += 1;
    // Another seed each time, so that an id that was taken for another is found by the next comparison.
    const seen = new IdSketch(waiting + delivered, this.#audits);
    return { kind: "audit", seen, newestAtMs: newest.items[0]?.createdAtMs ?? Number.NEGATIVE_INFINITY };
  }

  async #audit(walk: Walk, wait: OperationOptions): Promise<Walk> {
    const { store, queue, checkpoint, pageSize, enqueue } = this.#host;
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

  async #compare(walk: Walk, wait: OperationOptions): Promise<Walk | undefined> {
    const { store, checkpoint, pageSize, enqueue } = this.#host;
    const filter = { states: ["pending"] as const, createdBeforeMs: walk.newestAtMs + 1 };
    const request = { filter, cursor: walk.cursor, limit: pageSize };
    const page = await checkpoint("reconciler.list", store.list(request, wait));
    await enqueue(
      page.items.filter((task) => !walk.seen.mayHave(task.id)),
      wait,
    );
    return page.nextCursor === undefined ? undefined : { ...walk, cursor: page.nextCursor };
  }
}
