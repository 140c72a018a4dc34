import {
  type Delivery,
  type DeliverySettlement,
  GatewayError,
  type OperationOptions,
  type Page,
  type Queue,
  type QueueCapabilities,
  type QueueEntry,
  type QueueStats,
  type QueueStatsOptions,
  type TakeRequest,
} from "@modelgate/core";
import { Calls } from "./calls.ts";
import type { RabbitmqConnection } from "./connection.ts";
import { Delays } from "./delays.ts";
import { Deliveries, type Out } from "./deliveries.ts";
import { encodeEntry } from "./entry-body.ts";
import { KnownQueues } from "./known-queues.ts";
import { Lines } from "./lines.ts";
import { Mark } from "./mark.ts";
import { BANDS, bandOf, queueNameOf } from "./names.ts";
import { type OutMessage, Publisher } from "./publisher.ts";
import { NOT_FOUND, replyCode } from "./rabbitmq-error.ts";
import { countReady, type TakeHost, take } from "./take.ts";

/** The two connections of a broker: only the one that publishes is held up by an alarm. */
export interface Connections {
  readonly publishing: RabbitmqConnection;
  readonly taking: RabbitmqConnection;
}

interface Addressed {
  readonly entry: QueueEntry;
  readonly band: number;
}

/** A durable queue of the broker for each band of a lane that was ever used. */
export class RabbitmqQueue implements Queue {
  readonly capabilities: QueueCapabilities = { order: "bands", shared: true, keyed: false };
  readonly #prefix: string;
  readonly #calls: Calls;
  readonly #lines: Lines;
  readonly #publisher: Publisher;
  readonly #known: KnownQueues;
  readonly #delays: Delays;
  readonly #mark: Mark;
  readonly #deliveries = new Deliveries();
  readonly #host: TakeHost;

  constructor({ publishing, taking }: Connections, onClose: () => Promise<void>) {
    const { prefix, operationTimeoutMs } = taking.settings;
    this.#prefix = prefix;
    this.#lines = new Lines(taking, (line) => this.#deliveries.forget(line));
    this.#publisher = new Publisher(publishing);
    this.#mark = new Mark(taking, this.#lines, this.#publisher);
    this.#known = new KnownQueues({
      connection: taking,
      publisher: this.#publisher,
      onLost: () => this.#mark.renew(),
    });
    this.#delays = new Delays(taking);
    this.#host = { prefix, lines: this.#lines, known: this.#known, deliveries: this.#deliveries };
    this.#calls = new Calls({
      part: "queue",
      timeoutMs: operationTimeoutMs,
      // What was asked on a connection that answers no more would hold up everything after it.
      onSilence: () => {
        taking.drop();
        if (publishing.blockedBy === undefined) publishing.drop();
      },
      onClose: async () => {
        this.#deliveries.close();
        await this.#lines.close();
        await onClose();
      },
    });
  }

  enqueue(batch: readonly QueueEntry[], options?: OperationOptions): Promise<void> {
    return this.#calls.run(async () => {
      const nowMs = Date.now();
      const all = batch.map((entry): Addressed => ({ entry, band: bandOf(entry.rank, nowMs) }));
      const homeless = await this.#put(all).catch((error: unknown) => {
        if (replyCode(error) !== NOT_FOUND) throw error;
        // An exchange was deleted, and it is not known which.
        this.#known.forgetAll();
        this.#delays.forgetAll();
        return all;
      });
      if (homeless.length === 0) return;
      const names = homeless.map(({ entry, band }) => queueNameOf(this.#prefix, entry, band));
      for (const name of new Set(names)) if (this.#known.has(name)) await this.#known.lost(name);
      this.#delays.forgetAll();
      const still = await this.#put(homeless);
      if (still.length > 0)
        throw new GatewayError("STORE_UNAVAILABLE", "queues are deleted as soon as they are made");
    }, options);
  }

  take(request: TakeRequest, options?: OperationOptions): Promise<readonly Delivery[]> {
    return this.#calls.run((call) => take(this.#host, request, () => call.isOver), options);
  }

  settle(batch: readonly DeliverySettlement[], options?: OperationOptions): Promise<void> {
    return this.#calls.run(async () => {
      const delayed: { out: Out; message: OutMessage }[] = [];
      for (const settlement of batch) {
        const out = this.#deliveries.get(settlement.receipt);
        if (out === undefined) continue;
        if (settlement.kind === "done") this.#deliveries.done(out);
        else if (!(settlement.delayMs > 0)) this.#deliveries.back(out);
        else {
          const { exchange, expiresMs } = await this.#delays.exchangeFor(settlement.delayMs);
          const content = out.message.content;
          delayed.push({
            out,
            message: { exchange, key: out.queue, content, isPersistent: true, expiresMs },
          });
        }
      }
      const homeless = await this.#publisher.send(delayed.map(({ message }) => message));
      // One whose delay has no queue comes back at once, which is too early at worst.
      for (const [at, { out }] of delayed.entries()) {
        if (homeless.includes(at)) this.#deliveries.back(out);
        else this.#deliveries.done(out);
      }
      if (homeless.length > 0) this.#delays.forgetAll();
    }, options);
  }

  remove(_ids: readonly string[], options?: OperationOptions): Promise<void> {
    return this.#calls.run(() => unsupported("remove"), options);
  }

  audit(_cursor: string | undefined, _limit: number, options?: OperationOptions): Promise<Page<string>> {
    return this.#calls.run(() => unsupported("audit"), options);
  }

  /** Counts the queues that this client has used or was asked for. */
  stats(options?: QueueStatsOptions): Promise<QueueStats> {
    return this.#calls.run(async () => {
      const { lanes } = options ?? {};
      const further = [...this.#known.names, ...(await this.#delays.names())];
      const counts = await countReady(this.#host, lanes ?? [], further);
      let waiting = 0;
      for (const count of counts.values()) waiting += count;
      const stats = { waiting, delivered: this.#deliveries.count };
      if (lanes === undefined) return stats;
      const readyOf = (names: readonly string[]): number =>
        names.reduce((sum, name) => sum + (counts.get(name) ?? 0), 0);
      const namesOf = (lane: (typeof lanes)[number]): string[] =>
        BANDS.map((band) => queueNameOf(this.#prefix, lane, band));
      return { ...stats, ready: lanes.map((lane) => readyOf(namesOf(lane))) };
    }, options);
  }

  incarnation(options?: OperationOptions): Promise<string> {
    return this.#calls.run(() => this.#mark.read(), options);
  }

  close(): Promise<void> {
    return this.#calls.close();
  }

  /** Resolves which entries had no queue. */
  async #put(all: readonly Addressed[]): Promise<Addressed[]> {
    const lanes = new Map<string, Addressed>();
    for (const each of all) lanes.set(queueNameOf(this.#prefix, each.entry, each.band), each);
    await Promise.all([...lanes.values()].map(({ entry, band }) => this.#known.ensure(entry, band)));
    const messages: OutMessage[] = [];
    for (const { entry, band } of all) {
      const key = queueNameOf(this.#prefix, entry, band);
      const message = { key, content: encodeEntry(entry), isPersistent: true };
      const delay = entry.delayMs > 0 ? await this.#delays.exchangeFor(entry.delayMs) : undefined;
      messages.push({ ...message, ...delay });
    }
    const homeless = await this.#publisher.send(messages);
    return homeless.flatMap((at) => all[at] ?? []);
  }
}

async function unsupported(operation: string): Promise<never> {
  throw new GatewayError(
    "UNSUPPORTED",
    `a RabbitMQ queue finds no entry by its id, so that it has no ${operation}`,
    {
      details: { adapter: "rabbitmq", operation },
    },
  );
}
