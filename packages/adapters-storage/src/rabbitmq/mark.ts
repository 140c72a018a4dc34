import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type { RabbitmqConnection } from "./connection.ts";
import { declareQueue } from "./declare.ts";
import type { Lines } from "./lines.ts";
import type { Publisher } from "./publisher.ts";
import { toGatewayError, unavailable } from "./rabbitmq-error.ts";

/** Others hold the mark for a moment when they read it. */
const TRIES = 15;
const PAUSE_MS = 20;

/**
 * The queue's incarnation: one message in a queue of its own, with a random text that all processes read. Who finds none
 * puts a new one there, as after the loss of the broker's disk; who finds that a lane's queue was deleted replaces it.
 */
export class Mark {
  readonly #connection: RabbitmqConnection;
  readonly #lines: Lines;
  readonly #publisher: Publisher;
  #declared: Promise<void> | undefined;
  #renewing: Promise<void> | undefined;

  constructor(connection: RabbitmqConnection, lines: Lines, publisher: Publisher) {
    this.#connection = connection;
    this.#lines = lines;
    this.#publisher = publisher;
    connection.watch({
      lost: () => {
        this.#declared = undefined;
      },
    });
  }

  async read(): Promise<string> {
    await this.#renewing?.catch(() => {});
    await this.#declare();
    for (let tries = 0; tries < TRIES; tries += 1) {
      const found = await this.#look();
      if (found !== undefined) return found;
      await sleep(PAUSE_MS * (0.5 + Math.random()));
    }
    await this.#put();
    // What is read is what remained, in case others have put one too.
    return (
      (await this.#look()) ?? (await this.#look()) ?? Promise.reject(unavailable("the mark is gone again"))
    );
  }

  /** Something was lost: everybody shall read another text. */
  renew(): Promise<void> {
    this.#renewing ??= (async () => {
      await this.#declare();
      await this.#lines.use(({ channel }) => channel.purgeQueue(this.#name));
      await this.#put();
    })().finally(() => {
      this.#renewing = undefined;
    });
    return this.#renewing;
  }

  get #name(): string {
    return `${this.#connection.settings.prefix}.mark`;
  }

  async #put(): Promise<void> {
    const message = { key: this.#name, content: Buffer.from(randomUUID()), isPersistent: true };
    const homeless = await this.#publisher.send([message]);
    if (homeless.length === 0) return;
    this.#declared = undefined;
    await this.#declare();
    await this.#publisher.send([message]);
  }

  async #look(): Promise<string | undefined> {
    try {
      return await this.#lines.use(async ({ channel }) => {
        const message = await channel.get(this.#name);
        if (message === false) return undefined;
        channel.nack(message);
        return message.content.toString();
      });
    } catch (error) {
      // It was deleted, perhaps.
      this.#declared = undefined;
      await this.#declare();
      if (!this.#connection.isOpen) throw toGatewayError(error);
      return undefined;
    }
  }

  #declare(): Promise<void> {
    this.#declared ??= (async () => {
      const model = await this.#connection.open();
      await declareQueue(this.#connection.settings, model, this.#name, { maxLength: 1 });
    })().catch((error: unknown) => {
      this.#declared = undefined;
      throw toGatewayError(error);
    });
    return this.#declared;
  }
}
