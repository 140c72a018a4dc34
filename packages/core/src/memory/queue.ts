import { systemClock } from "../clock.ts";
import type { Clock } from "../contracts/clock.ts";
import type { Page } from "../contracts/common.ts";
import type {
  Delivery,
  DeliverySettlement,
  Queue,
  QueueEntry,
  QueueLane,
  QueueStats,
  TakeRequest,
} from "../contracts/queue.ts";
import { GatewayError } from "../errors.ts";
import { openness } from "../openness.ts";
import { Heap } from "../scheduler/heap.ts";
import { compareRank } from "../scheduler/rank.ts";
import { LaneIndex } from "./lane-index.ts";

export interface MemoryQueueOptions {
  /** Delays and visibility are counted with its monotonic time. */
  readonly clock?: Clock | undefined;
}

/** A queue in memory, which can also do what others only do by accident. */
export interface MemoryQueue extends Queue {
  /** Loses every entry, as a flushed server would. */
  loseAll(): void;
}

interface Item extends Omit<QueueEntry, "delayMs"> {
  /** Names the delivery under way. */
  receipt: string | undefined;
  visibleAtMs: number;
}

/** Exact order in one process. What it held is lost with the process; a composed ledger enqueues it again. */
export function memoryQueue(options: MemoryQueueOptions = {}): MemoryQueue {
  const shelf = new ItemShelf(options.clock ?? systemClock);
  const guard = openness("memory queue", () => shelf.loseAll());
  return {
    capabilities: { order: "exact", shared: false, keyed: true },
    enqueue: guard.wrap(async (batch) => {
      for (const entry of batch) shelf.put(entry);
    }),
    take: guard.wrap(async (request) => shelf.take(request)),
    settle: guard.wrap(async (batch) => {
      for (const settlement of batch) shelf.settle(settlement);
    }),
    remove: guard.wrap(async (ids) => {
      for (const id of ids) shelf.remove(id);
    }),
    stats: guard.wrap(async ({ lanes } = {}) => shelf.stats(lanes)),
    incarnation: guard.wrap(async () => shelf.incarnation),
    audit: guard.wrap(async (cursor, limit) => shelf.audit(cursor, limit)),
    loseAll: () => shelf.loseAll(),
    close: guard.close,
  };
}

class ItemShelf {
  readonly #clock: Clock;
  #incarnations = 1;
  #receipts = 0;
  #items = new Map<string, Item>();
  #index = new LaneIndex();
  /** Receipt to id of each delivery that may still be settled. */
  #delivered = new Map<string, string>();
  /** The ids that were there when the latest audit began, in order. */
  #audited: readonly string[] | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get incarnation(): string {
    return String(this.#incarnations);
  }

  loseAll(): void {
    this.#incarnations += 1;
    this.#items = new Map();
    this.#index = new LaneIndex();
    this.#delivered = new Map();
    this.#audited = undefined;
  }

  put({ delayMs, ...entry }: QueueEntry): void {
    const known = this.#items.get(entry.id);
    if (known?.receipt !== undefined) this.#delivered.delete(known.receipt);
    this.#place({ ...entry, receipt: undefined, visibleAtMs: 0 }, delayMs);
  }

  take({ lanes, max, visibilityMs }: TakeRequest): Delivery[] {
    if (!(visibilityMs > 0)) throw badField("visibilityMs", "above 0", visibilityMs);
    this.#index.promote(this.#clock.monotonic());
    const open = this.#index.open();
    const heads = new Heap<{ next: Item; cursor: () => Item | undefined; left: number }>((a, b) =>
      compareRank(a.next, b.next),
    );
    for (const { lane, background, max: left } of lanes) {
      const reader = open.lanes([lane], background);
      const cursor = (): Item | undefined => this.#items.get(reader.next()?.id ?? "");
      const next = left > 0 ? cursor() : undefined;
      if (next !== undefined) heads.push({ next, cursor, left });
    }
    const deliveries: Delivery[] = [];
    while (deliveries.length < max) {
      const head = heads.pop();
      if (head === undefined) break;
      deliveries.push(this.#deliver(head.next, visibilityMs));
      const next = head.left > 1 ? head.cursor() : undefined;
      if (next !== undefined) heads.push({ ...head, next, left: head.left - 1 });
    }
    open.settle();
    return deliveries;
  }

  settle(settlement: DeliverySettlement): void {
    const id = this.#delivered.get(settlement.receipt);
    const item = id === undefined ? undefined : this.#items.get(id);
    if (item === undefined) return;
    if (settlement.kind === "done") {
      this.remove(item.id);
      return;
    }
    this.#delivered.delete(settlement.receipt);
    item.receipt = undefined;
    this.#place(item, settlement.delayMs);
  }

  remove(id: string): void {
    const item = this.#items.get(id);
    if (item === undefined) return;
    if (item.receipt !== undefined) this.#delivered.delete(item.receipt);
    this.#items.delete(id);
    this.#index.remove(id);
  }

  stats(lanes: readonly QueueLane[] | undefined): QueueStats {
    const nowMs = this.#clock.monotonic();
    let delivered = 0;
    for (const id of this.#delivered.values())
      if ((this.#items.get(id)?.visibleAtMs ?? 0) > nowMs) delivered += 1;
    const counts = { waiting: this.#items.size - delivered, delivered };
    if (lanes === undefined) return counts;
    const items = [...this.#items.values()];
    const isReady = (item: Item, { lane, background }: QueueLane): boolean =>
      item.lane === lane && item.background === background && item.visibleAtMs <= nowMs;
    return { ...counts, ready: lanes.map((lane) => items.filter((item) => isReady(item, lane)).length) };
  }

  audit(cursor: string | undefined, limit: number): Page<string> {
    if (!(Number.isInteger(limit) && limit > 0)) throw badField("limit", "an integer above 0", limit);
    if (cursor === undefined) this.#audited = undefined;
    this.#audited ??= [...this.#items.keys()].sort();
    const from = cursor === undefined ? 0 : firstAbove(this.#audited, cursor);
    const page = this.#audited.slice(from, from + limit);
    const nextCursor = from + limit < this.#audited.length ? page.at(-1) : undefined;
    if (nextCursor === undefined) this.#audited = undefined;
    return { items: page.filter((id) => this.#items.has(id)), nextCursor };
  }

  #deliver(item: Item, visibilityMs: number): Delivery {
    // The receipt of a delivery that outlived its visibility ends here.
    if (item.receipt !== undefined) this.#delivered.delete(item.receipt);
    this.#receipts += 1;
    // A flush must not let an old receipt settle a new delivery.
    const receipt = `${this.#incarnations}-${this.#receipts}`;
    item.receipt = receipt;
    this.#delivered.set(receipt, item.id);
    this.#place(item, visibilityMs);
    const { id, lane, background, rank } = item;
    return { id, lane, background, rank, receipt };
  }

  #place(item: Item, delayMs: number): void {
    const { id, lane, background, rank } = item;
    item.visibleAtMs = delayMs > 0 ? this.#clock.monotonic() + delayMs : 0;
    this.#items.set(id, item);
    this.#index.add({ id, model: lane, background, rank, notBeforeAtMs: item.visibleAtMs });
  }
}

function badField(field: string, allowed: string, value: number): GatewayError {
  return new GatewayError("INVALID_REQUEST", `${field} must be ${allowed}; it is ${value}`, {
    details: { field },
  });
}

function firstAbove(sorted: readonly string[], key: string): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((sorted[middle] as string) <= key) low = middle + 1;
    else high = middle;
  }
  return low;
}
