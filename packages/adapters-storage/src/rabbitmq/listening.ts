import type { WakeupTopic } from "@modelgate/core";
import type { Channel } from "amqplib";
import { namesOf } from "../wakeups/name-messages.ts";
import type { RabbitmqConnection } from "./connection.ts";
import { declareExchange, exchangeOf } from "./wakeup-exchange.ts";
import { TOPICS } from "./wakeup-payload.ts";

/** A process that is paused must not fill the broker with hints, nor be told of old ones for long. */
const QUEUE_ARGUMENTS = { "x-max-length": 1_000, "x-message-ttl": 10_000 };

/** Between tries on a connection that is there. */
const PAUSE_MS = 500;

export interface ListeningOptions {
  readonly heard: (topic: WakeupTopic, names: readonly string[]) => void;
  /** It listens to these after a time in which it did not, though it should have. */
  readonly resumed: (topics: readonly WakeupTopic[]) => void;
}

/** A queue of this connection's own that gets the hints of the topics that somebody asked for. */
export class Listening {
  readonly #connection: RabbitmqConnection;
  readonly #options: ListeningOptions;
  readonly #wanted = new Set<WakeupTopic>();
  /** What was bound once: for it, a gap is told of. */
  readonly #heardOnce = new Set<WakeupTopic>();
  #channel: Channel | undefined;
  #queue = "";
  #bound = new Set<WakeupTopic>();
  #working: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #isClosed = false;

  constructor(connection: RabbitmqConnection, options: ListeningOptions) {
    this.#connection = connection;
    this.#options = options;
    connection.watch({ opened: () => this.#catchUp() });
  }

  listenTo(topic: WakeupTopic): void {
    if (this.#wanted.has(topic)) return;
    this.#wanted.add(topic);
    this.#connection.keep();
    this.#catchUp();
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    await this.#working;
    await this.#channel?.close().catch(() => {});
  }

  #catchUp(): void {
    if (this.#isClosed || !this.#connection.isOpen || this.#wanted.size === 0) return;
    this.#working ??= this.#work()
      .catch(() => this.#later())
      .finally(() => {
        this.#working = undefined;
        // Something was asked for meanwhile.
        if (this.#channel !== undefined && this.#missing().length > 0) this.#catchUp();
      });
  }

  #later(): void {
    if (this.#isClosed) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#catchUp(), PAUSE_MS * (0.5 + Math.random()));
    this.#timer.unref();
  }

  #missing(): WakeupTopic[] {
    return [...this.#wanted].filter((topic) => !this.#bound.has(topic));
  }

  async #work(): Promise<void> {
    this.#channel ??= await this.#open();
    const channel = this.#channel;
    const { prefix } = this.#connection.settings;
    const resumed: WakeupTopic[] = [];
    for (const topic of this.#missing()) {
      await declareExchange(channel, prefix, topic);
      await channel.bindQueue(this.#queue, exchangeOf(prefix, topic), "");
      this.#bound.add(topic);
      if (this.#heardOnce.has(topic)) resumed.push(topic);
      this.#heardOnce.add(topic);
    }
    if (resumed.length > 0) this.#options.resumed(resumed);
  }

  async #open(): Promise<Channel> {
    const { prefix } = this.#connection.settings;
    const topics = new Map(TOPICS.map((topic) => [exchangeOf(prefix, topic), topic]));
    const model = await this.#connection.open();
    const channel = await model.createChannel();
    channel.on("error", () => {});
    channel.on("handler-error", () => {});
    channel.on("close", () => {
      if (this.#channel === channel) this.#channel = undefined;
      this.#bound = new Set();
      this.#later();
    });
    const { queue } = await channel.assertQueue("", { exclusive: true, arguments: QUEUE_ARGUMENTS });
    this.#queue = queue;
    this.#bound = new Set();
    await channel.consume(
      queue,
      (message) => {
        // Without a message, the queue was deleted.
        if (message === null) return void channel.close().catch(() => {});
        const topic = topics.get(message.fields.exchange);
        const names = namesOf(message.content.toString());
        if (topic !== undefined && names !== undefined && !this.#isClosed) this.#options.heard(topic, names);
      },
      { noAck: true },
    );
    return channel;
  }
}
