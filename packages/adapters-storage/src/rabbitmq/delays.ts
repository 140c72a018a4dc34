import type { RabbitmqConnection } from "./connection.ts";
import { declareQueue, onChannel } from "./declare.ts";
import { toGatewayError } from "./rabbitmq-error.ts";

const SHORTEST_MS = 50;

/** A longer delay is cut here: an entry that comes too early is given back with what is left. */
const LONGEST_MS = 24 * 3_600_000;

/**
 * Queues in which entries wait for their time, and which the broker then sends to the lane that is their routing key.
 * Only the first message of a queue expires, so that each holds delays up to twice as long as the one before: an entry
 * is late by at most the length of its delay, and as a rule not at all.
 */
export class Delays {
  readonly #connection: RabbitmqConnection;
  readonly #made = new Map<number, Promise<string>>();

  constructor(connection: RabbitmqConnection) {
    this.#connection = connection;
    connection.watch({ lost: () => this.#made.clear() });
  }

  /** The exchange for this delay, and what is left of it. */
  async exchangeFor(delayMs: number): Promise<{ exchange: string; expiresMs: number }> {
    const expiresMs = Math.ceil(Math.min(delayMs, LONGEST_MS));
    const step = Math.max(0, Math.ceil(Math.log2(expiresMs / SHORTEST_MS)));
    let made = this.#made.get(step);
    if (made === undefined) {
      made = this.#make(`${this.#connection.settings.prefix}.delay.${SHORTEST_MS * 2 ** step}ms`);
      this.#made.set(step, made);
      made.catch(() => this.#made.delete(step));
    }
    return { exchange: await made, expiresMs };
  }

  forgetAll(): void {
    this.#made.clear();
  }

  /** The queues that were used here. */
  async names(): Promise<string[]> {
    const names = await Promise.allSettled(this.#made.values());
    return names.flatMap((each) => (each.status === "fulfilled" ? [each.value] : []));
  }

  async #make(name: string): Promise<string> {
    try {
      const model = await this.#connection.open();
      await declareQueue(this.#connection.settings, model, name, { isDelay: true });
      await onChannel(model, async (channel) => {
        // Whatever the routing key is: it says where the entry goes afterwards.
        await channel.assertExchange(name, "fanout", { durable: true });
        await channel.bindQueue(name, name, "");
      });
      return name;
    } catch (error) {
      throw toGatewayError(error);
    }
  }
}
