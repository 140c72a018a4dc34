import type { OperationOptions, Page } from "../contracts/common.ts";
import type { QueueLane } from "../contracts/queue.ts";
import type { TaskRecord } from "../contracts/task.ts";
import type { TaskStore } from "../contracts/task-store.ts";
import { listDue } from "./list-due.ts";

export interface FillHost {
  readonly store: Pick<TaskStore, "list">;
  readonly pageSize: number;
  readonly enqueue: (tasks: readonly TaskRecord[], wait: OperationOptions) => Promise<void>;
  readonly read: <T>(promise: Promise<T>) => Promise<T>;
}

interface Walk extends QueueLane {
  readonly cursor: string | undefined;
  /** The page at the cursor, read while the one before was written. */
  readonly ahead: Promise<Page<TaskRecord>> | undefined;
}

/**
 * Enqueues again what is due in some lanes, page by page: each lane in the order of its ranks, so that a queue that
 * is filled hands out the right ones first, and the lanes in turn, so that a long one holds up no other. A page that
 * fails is read again.
 */
export class LaneFill {
  readonly #host: FillHost;
  readonly #lanes: Walk[];
  /** Where the walk over delayed tasks is; absent once there is nothing left for it to find. */
  #delayed: { readonly cursor: string | undefined } | undefined;
  #missing: number;

  /** @param waiting tasks of all lanes, when what is delayed is to be found too. */
  constructor(host: FillHost, lanes: readonly QueueLane[], waiting = 0) {
    this.#host = host;
    this.#lanes = lanes.map((lane) => ({ ...lane, cursor: undefined, ahead: undefined }));
    this.#missing = waiting;
    this.#delayed = waiting > 0 ? { cursor: undefined } : undefined;
  }

  /** One page; resolves whether there is more. */
  async next(wait: OperationOptions): Promise<boolean> {
    const [walk] = this.#lanes;
    if (walk !== undefined) {
      await this.#nextOf(walk, wait);
      // As many as wait were found, so that none of them is delayed.
      if (this.#lanes.length === 0 && this.#missing <= 0) this.#delayed = undefined;
    } else if (this.#delayed !== undefined) await this.#nextDelayed(this.#delayed.cursor, wait);
    return this.#lanes.length > 0 || this.#delayed !== undefined;
  }

  async #nextOf(walk: Walk, wait: OperationOptions): Promise<void> {
    const { lane, background, cursor, ahead } = walk;
    this.#lanes[0] = { ...walk, ahead: undefined };
    const page = await (ahead ?? this.#read({ lane, background }, cursor, wait));
    const { nextCursor } = page;
    const following =
      nextCursor === undefined ? undefined : this.#read({ lane, background }, nextCursor, wait);
    // Whoever takes it hears of its failure.
    following?.catch(() => {});
    await this.#host.enqueue(page.items, wait);
    this.#missing -= page.items.length;
    this.#lanes.shift();
    if (nextCursor !== undefined)
      this.#lanes.push({ lane, background, cursor: nextCursor, ahead: following });
  }

  #read(lane: QueueLane, cursor: string | undefined, wait: OperationOptions): Promise<Page<TaskRecord>> {
    const { store, pageSize, read } = this.#host;
    return read(listDue(store, [{ ...lane, max: pageSize }], cursor, wait));
  }

  async #nextDelayed(cursor: string | undefined, wait: OperationOptions): Promise<void> {
    const { store, pageSize, enqueue, read } = this.#host;
    const request = { filter: { states: ["pending"] as const }, cursor, limit: pageSize };
    const page = await read(store.list(request, wait));
    await enqueue(
      page.items.filter((task) => task.notBeforeAtMs !== undefined),
      wait,
    );
    this.#delayed = page.nextCursor === undefined ? undefined : { cursor: page.nextCursor };
  }
}

/** Both kinds of lane of some models. */
export function lanesOf(models: Iterable<{ readonly model: string }>): QueueLane[] {
  return Array.from(models, ({ model }) => model).flatMap((lane) => [
    { lane, background: false },
    { lane, background: true },
  ]);
}
