import type { QueueLane } from "@modelgate/core";
import type { RabbitmqConnection } from "./connection.ts";
import { declareQueue, onChannel } from "./declare.ts";
import { BANDS, laneKeyOf, queueNameOf } from "./names.ts";
import type { Publisher } from "./publisher.ts";
import { NOT_FOUND, replyCode, toGatewayError } from "./rabbitmq-error.ts";

export interface KnownQueuesOptions {
  /** For everything but publishing. */
  readonly connection: RabbitmqConnection;
  readonly publisher: Publisher;
  /** A queue that was there is gone, and with it what it held. */
  readonly onLost: () => Promise<void>;
}

/**
 * Which queues there are. A queue is made when something is put into it first, and AMQP lists none; to ask for one that
 * is not there costs a channel and a line in the broker's log. Each queue therefore has a binding of its name on an
 * exchange, and so has its lane: a mandatory message with that key comes back where there is none, and otherwise goes to
 * a queue that keeps nothing. Many are asked for in one round trip.
 */
export class KnownQueues {
  readonly #options: KnownQueuesOptions;
  readonly #known = new Set<string>();
  readonly #knownLanes = new Set<string>();
  readonly #making = new Map<string, Promise<void>>();
  #base: Promise<void> | undefined;

  constructor(options: KnownQueuesOptions) {
    this.#options = options;
    // Another broker, or an emptied one, may answer next time.
    options.connection.watch({ lost: () => this.forgetAll() });
  }

  get names(): readonly string[] {
    return [...this.#known];
  }

  has(name: string): boolean {
    return this.#known.has(name);
  }

  forgetAll(): void {
    this.#known.clear();
    this.#knownLanes.clear();
    this.#making.clear();
    this.#base = undefined;
  }

  /** Tells that a queue is gone. */
  async lost(name: string): Promise<void> {
    this.#known.delete(name);
    this.#making.delete(name);
    await this.#options.onLost();
  }

  /** Makes the queue of a lane's band unless it is there. */
  ensure(lane: QueueLane, band: number): Promise<void> {
    const name = queueNameOf(this.#prefix, lane, band);
    if (this.#known.has(name)) return Promise.resolve();
    let making = this.#making.get(name);
    if (making === undefined) {
      making = this.#make(name, laneKeyOf(this.#prefix, lane)).finally(() => this.#making.delete(name));
      this.#making.set(name, making);
    }
    return making;
  }

  /** Finds out which queues these lanes have. While nothing can be published, only those that are known already. */
  async find(lanes: readonly QueueLane[]): Promise<void> {
    if (this.#options.publisher.isBlocked || lanes.length === 0) return;
    await this.#ready();
    const isKnown = (lane: QueueLane): boolean => this.#knownLanes.has(laneKeyOf(this.#prefix, lane));
    const bandsOf = (each: readonly QueueLane[]): string[] =>
      each.flatMap((lane) => BANDS.map((band) => queueNameOf(this.#prefix, lane, band)));
    const unknown = lanes.filter((lane) => !isKnown(lane));
    const keys = unknown.map((lane) => laneKeyOf(this.#prefix, lane));
    const names = bandsOf(lanes.filter(isKnown)).filter((name) => !this.#known.has(name));
    const { found } = await this.#probe([...keys, ...names]);
    for (const name of names) if (found.has(name)) this.#known.add(name);
    const foundLanes = unknown.filter((_, at) => found.has(keys[at] ?? ""));
    if (foundLanes.length === 0) return;
    const further = await this.#probe(bandsOf(foundLanes));
    for (const name of further.found) this.#known.add(name);
    for (const lane of foundLanes) this.#knownLanes.add(laneKeyOf(this.#prefix, lane));
  }

  get #prefix(): string {
    return this.#options.connection.settings.prefix;
  }

  async #make(name: string, laneKey: string): Promise<void> {
    await this.#ready();
    const { found } = await this.#probe([name, laneKey]);
    const { connection, onLost } = this.#options;
    const model = await connection.open();
    let isLost = false;
    if (found.has(name)) {
      await onChannel(model, (channel) => channel.checkQueue(name)).catch((error: unknown) => {
        if (replyCode(error) !== NOT_FOUND) throw toGatewayError(error);
        isLost = true;
      });
    }
    if (!found.has(name) || isLost) {
      await declareQueue(connection.settings, model, name);
      const known = knownName(this.#prefix);
      await onChannel(model, async (channel) => {
        if (!found.has(name)) await channel.bindQueue(known, known, name);
        if (!found.has(laneKey)) await channel.bindQueue(known, known, laneKey);
      });
    }
    if (isLost) await onLost();
    this.#known.add(name);
    this.#knownLanes.add(laneKey);
  }

  async #probe(keys: readonly string[]): Promise<{ found: Set<string> }> {
    const exchange = knownName(this.#prefix);
    const messages = keys.map((key) => ({ exchange, key, content: NOTHING }));
    const { publisher, onLost } = this.#options;
    const homeless = await publisher.send(messages).catch(async (error: unknown) => {
      if (replyCode(error) !== NOT_FOUND) throw error;
      // The exchange was deleted: what is known by it alone has to be entered again.
      this.forgetAll();
      await this.#ready();
      await onLost();
      return await publisher.send(messages);
    });
    const missing = new Set(homeless.map((at) => keys[at]));
    return { found: new Set(keys.filter((key) => !missing.has(key))) };
  }

  /** The exchange, and the queue behind it that keeps nothing. */
  #ready(): Promise<void> {
    const known = knownName(this.#prefix);
    this.#base ??= (async () => {
      const model = await this.#options.connection.open();
      await onChannel(model, async (channel) => {
        await channel.assertExchange(known, "direct", { durable: true });
        const args = { "x-queue-type": "classic", "x-max-length": 0 };
        await channel.assertQueue(known, { durable: true, arguments: args });
      });
    })().catch((error: unknown) => {
      this.#base = undefined;
      throw toGatewayError(error);
    });
    return this.#base;
  }
}

const NOTHING = Buffer.alloc(0);

function knownName(prefix: string): string {
  return `${prefix}.known`;
}
