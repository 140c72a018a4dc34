import type { Channel } from "amqplib";
import type { RabbitmqConnection } from "./connection.ts";

/** More would wait for the broker's processors, not for its answers. */
const MOST_LINES = 8;

/** A channel, on which one question is under way at a time: the driver sends the next when the answer is there. */
export interface Line {
  readonly channel: Channel;
  /** What `prefetch` was told last. */
  prefetch: number;
  /** Consumers of ours, by tag. */
  readonly consumers: Set<string>;
  isOpen: boolean;
  /** What has to be over before the next question; it never rejects. */
  ending: Promise<void> | undefined;
}

/** Channels of one connection, shared by all questions. One that the broker closed is replaced. */
export class Lines {
  readonly #connection: RabbitmqConnection;
  readonly #onGone: (line: Line) => void;
  readonly #all = new Set<Line>();
  #free: Line[] = [];
  #count = 0;
  #waiting: (() => void)[] = [];

  /** `onGone` is told of each channel that has ended, whoever ended it. */
  constructor(connection: RabbitmqConnection, onGone: (line: Line) => void) {
    this.#connection = connection;
    this.#onGone = onGone;
  }

  /** Runs `work` with a channel that nobody else uses meanwhile. */
  async use<T>(work: (line: Line) => Promise<T>): Promise<T> {
    const line = await this.#acquire();
    try {
      return await work(line);
    } finally {
      const release = (): void => {
        line.ending = undefined;
        if (line.isOpen) this.#free.push(line);
        this.#waiting.shift()?.();
      };
      if (line.ending === undefined) release();
      else void line.ending.then(release);
    }
  }

  /** Runs `work` for all items, over as many channels as are worth it. */
  async spread<Item>(items: readonly Item[], work: (item: Item, line: Line) => Promise<void>): Promise<void> {
    const rest = [...items];
    const run = async (): Promise<void> => {
      while (rest.length > 0) {
        await this.use(async (line) => {
          for (let item = rest.shift(); item !== undefined; item = rest.shift()) {
            await work(item, line);
            if (!line.isOpen || line.ending !== undefined) return;
          }
        });
      }
    };
    const count = Math.min(MOST_LINES, Math.ceil(items.length / 2));
    await Promise.all(Array.from({ length: count }, run));
  }

  /** Ends all channels, so that what is unsettled on them goes back. */
  async close(): Promise<void> {
    await Promise.allSettled([...this.#all].map(async ({ channel }) => await channel.close()));
  }

  async #acquire(): Promise<Line> {
    for (;;) {
      const line = this.#free.pop();
      if (line?.isOpen) return line;
      if (line === undefined && this.#count < MOST_LINES) return await this.#make();
      if (line === undefined) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }

  async #make(): Promise<Line> {
    this.#count += 1;
    try {
      const model = await this.#connection.open();
      const channel = await model.createChannel();
      const line: Line = { channel, prefetch: 0, consumers: new Set(), isOpen: true, ending: undefined };
      this.#all.add(line);
      channel.on("error", () => {});
      channel.on("handler-error", () => {});
      // What comes for a consumer that has ended would stay with this channel for as long as it lives.
      channel.prependListener("delivery", (message: Parameters<Channel["ack"]>[0]) => {
        const { consumerTag } = message.fields as { consumerTag?: string };
        if (line.isOpen && !line.consumers.has(consumerTag ?? "")) channel.nack(message);
      });
      channel.on("close", () => {
        line.isOpen = false;
        this.#count -= 1;
        this.#all.delete(line);
        this.#onGone(line);
        // Whoever waits may make another.
        this.#waiting.shift()?.();
      });
      return line;
    } catch (error) {
      this.#count -= 1;
      this.#waiting.shift()?.();
      throw error;
    }
  }
}
