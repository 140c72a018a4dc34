import type { Clock } from "../src/contracts/clock.ts";
import type {
  Delivery,
  DeliverySettlement,
  Queue,
  QueueEntry,
  QueueStats,
  QueueStatsOptions,
  TakeRequest,
} from "../src/contracts/queue.ts";
import { GatewayError } from "../src/errors.ts";
import { openness } from "../src/openness.ts";

const HOUR_MS = 3_600_000;
/** Hours that a rank lies back at least, for each band but the last. */
const BANDS = [8, 6, 4, 1] as const;

type Entry = Omit<QueueEntry, "delayMs">;

interface Lane {
  readonly bands: Entry[][];
}

interface Out {
  readonly entry: Entry;
  readonly owner: BandedClient;
  readonly untilMs: number;
}

/** One connection of a broker. */
export interface BandedClient extends Queue {
  /** The connection breaks and is made anew: what was delivered over it goes back. */
  reconnect(): void;
}

/**
 * A broker whose queue is ordered by bands and knows no ids, with all that such brokers do: an id may have many
 * entries, a purge leaves no trace but the missing entries, and what was delivered comes back with its connection's
 * end.
 */
export class BandedBroker {
  readonly #clock: Clock;
  readonly #lanes = new Map<string, Lane>();
  #delayed: { readonly entry: Entry; readonly atMs: number }[] = [];
  readonly #out = new Map<string, Out>();
  #incarnations = 1;
  #receipts = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Empties the lanes. What is delayed or delivered stays, and nobody is told. */
  purge(): void {
    this.#lanes.clear();
  }

  /** Loses everything, and shows it. */
  loseAll(): void {
    this.purge();
    this.#delayed = [];
    this.#out.clear();
    this.#incarnations += 1;
  }

  client(): BandedClient {
    const reconnect = (): void => {
      for (const [receipt, { owner }] of this.#out) if (owner === client) this.#giveBack(receipt, 0);
    };
    const guard = openness("banded queue", reconnect);
    const unsupported = async (): Promise<never> => {
      throw new GatewayError("UNSUPPORTED", "the entries of this queue are not found by their id");
    };
    const client: BandedClient = {
      capabilities: { order: "bands", shared: true, keyed: false },
      enqueue: guard.wrap(async (batch) => {
        for (const { delayMs, ...entry } of batch) this.#put(entry, delayMs);
      }),
      take: guard.wrap(async (request) => this.#take(request, client)),
      settle: guard.wrap(async (batch) => {
        for (const item of batch) this.#settle(item, client);
      }),
      remove: guard.wrap(unsupported),
      stats: guard.wrap(async (options) => this.#stats(options ?? {}, client)),
      incarnation: guard.wrap(async () => String(this.#incarnations)),
      audit: guard.wrap(unsupported),
      reconnect,
      close: guard.close,
    };
    return client;
  }

  #put(entry: Entry, delayMs: number): void {
    if (delayMs > 0) this.#delayed.push({ entry, atMs: this.#clock.monotonic() + delayMs });
    else this.#band(entry).push(entry);
  }

  #band(entry: Entry): Entry[] {
    const key = keyOf(entry);
    let lane = this.#lanes.get(key);
    if (lane === undefined) {
      lane = { bands: [...BANDS, 0].map(() => []) };
      this.#lanes.set(key, lane);
    }
    const leadMs = this.#clock.now() - entry.rank;
    const at = BANDS.findIndex((hours) => leadMs >= hours * HOUR_MS);
    return lane.bands[at < 0 ? BANDS.length : at] as Entry[];
  }

  #take({ lanes, max, visibilityMs }: TakeRequest, owner: BandedClient): Delivery[] {
    this.#promote();
    const rooms = lanes.map(({ lane, background, max: left }) => {
      return { bands: this.#lanes.get(keyOf({ lane, background }))?.bands, left };
    });
    const taken: Delivery[] = [];
    for (let band = 0; band <= BANDS.length; band += 1) {
      for (let found = true; found && taken.length < max; ) {
        found = false;
        for (const room of rooms) {
          if (room.left <= 0 || taken.length >= max) continue;
          const entry = room.bands?.[band]?.shift();
          if (entry === undefined) continue;
          found = true;
          room.left -= 1;
          const receipt = String(++this.#receipts);
          this.#out.set(receipt, { entry, owner, untilMs: this.#clock.monotonic() + visibilityMs });
          taken.push({ ...entry, receipt });
        }
      }
    }
    return taken;
  }

  #settle(item: DeliverySettlement, owner: BandedClient): void {
    if (this.#out.get(item.receipt)?.owner !== owner) return;
    if (item.kind === "done") this.#out.delete(item.receipt);
    else this.#giveBack(item.receipt, item.delayMs);
  }

  #giveBack(receipt: string, delayMs: number): void {
    const entry = this.#out.get(receipt)?.entry;
    if (entry === undefined) return;
    this.#out.delete(receipt);
    if (delayMs > 0) this.#put(entry, delayMs);
    else this.#band(entry).unshift(entry);
  }

  #promote(): void {
    const nowMs = this.#clock.monotonic();
    const due = this.#delayed.filter(({ atMs }) => atMs <= nowMs);
    if (due.length > 0) this.#delayed = this.#delayed.filter(({ atMs }) => atMs > nowMs);
    for (const { entry } of due) this.#put(entry, 0);
    for (const [receipt, { untilMs }] of this.#out) if (untilMs <= nowMs) this.#giveBack(receipt, 0);
  }

  #stats({ lanes }: QueueStatsOptions, owner: BandedClient): QueueStats {
    this.#promote();
    const readyIn = (lane: Lane | undefined): number =>
      lane === undefined ? 0 : lane.bands.reduce((sum, band) => sum + band.length, 0);
    let waiting = this.#delayed.length;
    for (const lane of this.#lanes.values()) waiting += readyIn(lane);
    const delivered = [...this.#out.values()].filter((out) => out.owner === owner).length;
    const ready = lanes?.map((lane) => readyIn(this.#lanes.get(keyOf(lane))));
    return { waiting, delivered, ready };
  }
}

function keyOf({ lane, background }: Pick<Entry, "lane" | "background">): string {
  return `${background ? "b" : "f"}${lane}`;
}
