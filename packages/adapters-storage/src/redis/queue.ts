import { randomUUID } from "node:crypto";
import {
  type Delivery,
  type DeliverySettlement,
  GatewayError,
  type OperationOptions,
  type Page,
  type Queue,
  type QueueEntry,
  type QueueLane,
  type QueueStats,
  type TakeRequest,
} from "@modelgate/core";
import { unlessAborted } from "@modelgate/core/adapter";
import { decodeId, encodeId, lanePrefix, placeOf, readReceipt } from "./entry-codec.ts";
import type { Share } from "./queue-batch.ts";
import { QueueBatches } from "./queue-batches.ts";
import { type QueueHost, queueKeys } from "./queue-host.ts";
import type { TakeShare } from "./queue-take.ts";
import { ENQUEUE } from "./scripts/enqueue.ts";
import { AUDIT, INCARNATION, STATS } from "./scripts/look.ts";
import { REMOVE } from "./scripts/remove.ts";
import { SETTLE } from "./scripts/settle.ts";
import { MOST_ENTRIES } from "./scripts/shared.ts";

/** Ids that one page of an audit has at most. */
const MOST_AUDITED = 5_000;
/** How often a count of what is ready first makes ready what is due. */
const MOST_ROUNDS = 64;

/**
 * A queue in exact order, in six keys of one slot. An entry takes some 440 bytes of the server's memory, 120 of them for
 * the audit's order of ids.
 *
 * A batch of more than 250 is several scripts: when one of them fails, the call rejects and the others have taken
 * effect. `close` leaves the connection open.
 */
export function redisQueue(host: QueueHost, keySpace: string): Queue {
  const calls = new QueueCalls(host, queueKeys(keySpace));
  return {
    capabilities: { order: "exact", shared: true, keyed: true },
    enqueue: (batch, options) => calls.run(() => calls.enqueue(batch), options),
    take: (request, options) => calls.take(request, options),
    settle: (batch, options) => calls.run(() => calls.settle(batch), options),
    remove: (ids, options) => calls.run(() => calls.remove(ids), options),
    stats: (options) => calls.run(() => calls.stats(options?.lanes), options),
    incarnation: (options) => calls.run(() => calls.incarnation(), options),
    audit: (cursor, limit, options) => calls.run(() => calls.audit(cursor, limit), options),
    close: async () => calls.close(),
  };
}

class QueueCalls {
  readonly #host: QueueHost;
  readonly #keys: readonly string[];
  readonly #batches: QueueBatches;
  #isClosed = false;

  constructor(host: QueueHost, keys: readonly string[]) {
    this.#host = host;
    this.#keys = keys;
    this.#batches = new QueueBatches(host, keys);
  }

  /** The wait ends with the signal; what was begun goes on. */
  async run<T>(work: () => Promise<T>, options?: OperationOptions): Promise<T> {
    if (this.#isClosed) throw new GatewayError("CLOSED", "the Redis queue is closed");
    const signal = options?.signal;
    signal?.throwIfAborted();
    return signal === undefined ? await work() : await unlessAborted(work(), signal);
  }

  close(): void {
    this.#isClosed = true;
  }

  async enqueue(batch: readonly QueueEntry[]): Promise<void> {
    const byId = new Map(batch.map((entry) => [encodeId(entry.id), entry]));
    const shares = pieces([...byId], ENQUEUE, ([id, entry]) => {
      return [id, placeOf(entry), delayOf("delayMs", entry.delayMs)];
    });
    await this.#change(shares);
  }

  async take(request: TakeRequest, options?: OperationOptions): Promise<readonly Delivery[]> {
    let isHeard = true;
    let taken: Promise<Delivery[]> | undefined;
    try {
      return await this.run(() => {
        taken = this.#take(request, () => isHeard);
        return taken;
      }, options);
    } catch (error) {
      isHeard = false;
      // What comes for somebody who waits no longer goes back at once, rather than after `visibilityMs`.
      taken?.then((deliveries) => this.settle(deliveries.map(backAtOnce))).catch(() => {});
      throw error;
    }
  }

  /** More than one script may hand out is taken in several turns. */
  async #take({ lanes, max, visibilityMs }: TakeRequest, isHeard: () => boolean): Promise<Delivery[]> {
    if (!(visibilityMs > 0)) throw badField("visibilityMs", "above 0", visibilityMs);
    const left = new Map<string, { lane: QueueLane; max: number }>();
    for (const lane of lanes) {
      const prefix = lanePrefix(lane);
      const bound = lane.max + (left.get(prefix)?.max ?? 0);
      if (bound > 0) left.set(prefix, { lane, max: bound });
    }
    const deliveries: Delivery[] = [];
    this.#batches.requireRoom();
    while (isHeard() && deliveries.length < max && left.size > 0) {
      const open = [...left.values()].reduce((sum, lane) => sum + lane.max, 0);
      const piece = Math.min(max - deliveries.length, open, MOST_ENTRIES);
      const share: TakeShare = { lanes: boundedBy(left, piece), max: piece, visibilityMs };
      const taken = await this.#batches.take(share);
      deliveries.push(...taken);
      if (taken.length < piece) break;
      for (const delivery of taken) {
        const prefix = lanePrefix(delivery);
        const lane = left.get(prefix);
        if (lane !== undefined) lane.max -= 1;
        if (lane?.max === 0) left.delete(prefix);
      }
    }
    return deliveries;
  }

  async settle(batch: readonly DeliverySettlement[]): Promise<void> {
    const items = batch.flatMap((item) => {
      const receipt = readReceipt(item.receipt);
      if (receipt === undefined) return [];
      const delay = item.kind === "done" ? "" : delayOf("delayMs", item.delayMs);
      return [{ id: encodeId(receipt.id), token: receipt.token, delay }];
    });
    const shares = pieces(items, SETTLE, ({ id, token, delay }) => [id, token, delay]);
    this.#batches.requireRoom();
    await allOf(shares.map((share) => this.#batches.settle(share)));
  }

  async remove(ids: readonly string[]): Promise<void> {
    const shares = pieces([...new Set(ids)], REMOVE, (id) => [encodeId(id)]);
    await this.#change(shares);
  }

  async #change(shares: readonly Share[]): Promise<void> {
    this.#batches.requireRoom();
    await allOf(shares.map((share) => this.#batches.change(share)));
  }

  async stats(lanes: readonly QueueLane[] | undefined): Promise<QueueStats> {
    const prefixes = lanes?.map(lanePrefix) ?? [];
    for (let round = 1; ; round += 1) {
      const reply = await this.#host.evaluate(STATS, this.#keys, prefixes);
      const [total, delivered, hasMore, ...ready] = reply as [number, number, number, ...number[]];
      if (hasMore === 1 && round < MOST_ROUNDS) continue;
      const counts = { waiting: total - delivered, delivered };
      return lanes === undefined ? counts : { ...counts, ready };
    }
  }

  async incarnation(): Promise<string> {
    const reply = await this.#host.evaluate(INCARNATION, this.#keys, [randomUUID()]);
    return (reply as string[]).join(".");
  }

  async audit(cursor: string | undefined, limit: number): Promise<Page<string>> {
    if (!(Number.isInteger(limit) && limit > 0)) throw badField("limit", "an integer above 0", limit);
    const most = Math.min(limit, MOST_AUDITED);
    const from = cursor === undefined ? "-" : `(${encodeId(cursor)}`;
    // One more tells whether there is a next page.
    const reply = await this.#host.evaluate(AUDIT, this.#keys, [from, most + 1]);
    const ids = (reply as string[]).slice(0, most).map(decodeId);
    return (reply as string[]).length > most ? { items: ids, nextCursor: ids.at(-1) } : { items: ids };
  }
}

function pieces<T>(
  items: readonly T[],
  script: Share["script"],
  argsOf: (item: T) => (string | number)[],
): Share[] {
  const shares: Share[] = [];
  for (let from = 0; from < items.length; from += MOST_ENTRIES) {
    const args = items.slice(from, from + MOST_ENTRIES).map(argsOf);
    shares.push({ script, ids: args.map(([id]) => id as string), args: args.flat() });
  }
  return shares;
}

/** Rejects when all have ended, so that nothing of the call is under way when its caller goes on. */
async function allOf(work: readonly Promise<void>[]): Promise<void> {
  for (const outcome of await Promise.allSettled(work))
    if (outcome.status === "rejected") throw outcome.reason;
}

function boundedBy(lanes: TakeShare["lanes"], max: number): TakeShare["lanes"] {
  return new Map(Array.from(lanes, ([prefix, each]) => [prefix, { ...each, max: Math.min(each.max, max) }]));
}

function backAtOnce({ receipt }: Delivery): DeliverySettlement {
  return { receipt, kind: "back", delayMs: 0 };
}

function delayOf(field: string, delayMs: number): number {
  if (delayMs >= 0 && Number.isFinite(delayMs)) return delayMs;
  throw badField(field, "a number from 0", delayMs);
}

function badField(field: string, allowed: string, value: number): GatewayError {
  return new GatewayError("INVALID_REQUEST", `${field} must be ${allowed}; it is ${value}`, {
    details: { field },
  });
}
