import type { ConfirmChannel, Message } from "amqplib";
import type { RabbitmqConnection } from "./connection.ts";
import { blockedError, toGatewayError, unavailable } from "./rabbitmq-error.ts";

export interface OutMessage {
  /** The default exchange unless given. */
  readonly exchange?: string | undefined;
  readonly key: string;
  readonly content: Buffer;
  readonly isPersistent?: boolean | undefined;
  readonly expiresMs?: number | undefined;
}

const NACKED = "RabbitMQ could not store an entry; has its queue a majority of its nodes, and room?";

interface Waiter {
  readonly reject: (error: unknown) => void;
}

/** Publishes with confirms and `mandatory`: what resolves is stored, or is told to have had no queue to go to. */
export class Publisher {
  readonly #connection: RabbitmqConnection;
  #opening: Promise<ConfirmChannel> | undefined;
  #lastId = 0;
  readonly #returned = new Map<string, () => void>();
  readonly #waiters = new Set<Waiter>();
  #drained: Promise<void> | undefined;
  /** Why the broker closed the channel, which those who wait for a confirm are not told. */
  #reason: unknown;

  constructor(connection: RabbitmqConnection) {
    this.#connection = connection;
    connection.watch({
      blocked: (reason) => this.#rejectAll(blockedError(reason)),
      lost: () => {
        this.#opening = undefined;
      },
    });
  }

  get isBlocked(): boolean {
    return this.#connection.blockedBy !== undefined;
  }

  /** Resolves, when all are confirmed, which of them had no queue, by their place in `messages`. */
  async send(messages: readonly OutMessage[]): Promise<number[]> {
    const homeless: number[] = [];
    if (messages.length === 0) return homeless;
    const channel = await this.#channel();
    const confirmed: Promise<void>[] = [];
    for (const [at, message] of messages.entries()) {
      const { blockedBy } = this.#connection;
      if (blockedBy !== undefined) {
        for (const each of confirmed) each.catch(() => {});
        throw blockedError(blockedBy);
      }
      confirmed.push(this.#sendOne(channel, message, () => homeless.push(at)));
      if (this.#drained !== undefined) {
        // A rejection while we wait is met below.
        for (const each of confirmed) each.catch(() => {});
        await this.#drained;
      }
    }
    await Promise.all(confirmed);
    return homeless;
  }

  #sendOne(channel: ConfirmChannel, message: OutMessage, onReturn: () => void): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#lastId += 1;
      const messageId = `${this.#lastId}`;
      const waiter: Waiter = { reject };
      const finish = (error: unknown): void => {
        this.#returned.delete(messageId);
        this.#waiters.delete(waiter);
        if (error) reject(toGatewayError(isNack(error) ? unavailable(NACKED) : (this.#reason ?? error)));
        else resolve();
      };
      this.#returned.set(messageId, onReturn);
      this.#waiters.add(waiter);
      const { exchange = "", key, content, isPersistent = false, expiresMs } = message;
      try {
        const options = {
          ...{ messageId, mandatory: true, persistent: isPersistent },
          ...(expiresMs !== undefined && { expiration: `${expiresMs}` }),
        };
        const hasRoom = channel.publish(exchange, key, content, options, finish);
        if (!hasRoom) this.#waitForDrain(channel);
      } catch (error) {
        finish(error);
      }
    });
  }

  #waitForDrain(channel: ConfirmChannel): void {
    this.#drained ??= new Promise<void>((resolve) => {
      const done = (): void => {
        channel.removeListener("drain", done);
        channel.removeListener("close", done);
        this.#waiters.delete(waiter);
        this.#drained = undefined;
        resolve();
      };
      // An alarm ends the wait; the next message then says so.
      const waiter: Waiter = { reject: done };
      this.#waiters.add(waiter);
      channel.on("drain", done);
      channel.on("close", done);
    });
  }

  #rejectAll(error: unknown): void {
    for (const { reject } of [...this.#waiters]) reject(error);
    this.#waiters.clear();
  }

  async #channel(): Promise<ConfirmChannel> {
    const { blockedBy } = this.#connection;
    if (blockedBy !== undefined) throw blockedError(blockedBy);
    this.#opening ??= this.#open();
    return await this.#opening;
  }

  #open(): Promise<ConfirmChannel> {
    const forget = (): void => {
      if (this.#opening === opening) this.#opening = undefined;
    };
    const opening = (async () => {
      const model = await this.#connection.open();
      const channel = await model.createConfirmChannel();
      this.#reason = undefined;
      channel.on("error", (error) => {
        this.#reason = error;
      });
      channel.on("handler-error", () => {});
      channel.on("close", forget);
      channel.on("return", ({ properties }: Message) => this.#returned.get(`${properties.messageId}`)?.());
      return channel;
    })();
    opening.catch(forget);
    return opening;
  }
}

function isNack(error: unknown): boolean {
  return error instanceof Error && error.message === "message nacked";
}
