import { once } from "node:events";
import type { OperationOptions, Wakeups, WakeupTopic } from "@modelgate/core";
import type { Channel } from "amqplib";
import { type Listener, Listeners } from "../wakeups/listeners.ts";
import { Calls } from "./calls.ts";
import type { RabbitmqConnection } from "./connection.ts";
import { Listening } from "./listening.ts";
import type { Connections } from "./queue.ts";
import { blockedError } from "./rabbitmq-error.ts";
import { declareExchange, exchangeOf } from "./wakeup-exchange.ts";
import { TOPICS, toPayloads } from "./wakeup-payload.ts";

/**
 * Hints by an exchange for each topic, which hands them to a queue of each process that listens. They are not kept on a
 * disk and not confirmed: polling is the net.
 */
export class RabbitmqWakeups implements Wakeups {
  readonly #publishing: RabbitmqConnection;
  readonly #calls: Calls;
  readonly #listening: Listening;
  readonly #listeners = new Listeners();
  #channel: Promise<Channel> | undefined;

  constructor({ publishing, taking }: Connections, onClose: () => Promise<void>) {
    this.#publishing = publishing;
    this.#listening = new Listening(taking, {
      heard: (topic, names) => this.#listeners.tell(topic, names),
      // Whoever waits may have missed something.
      resumed: (topics) => {
        for (const topic of topics) this.#listeners.tell(topic, []);
      },
    });
    publishing.watch({
      lost: () => {
        this.#channel = undefined;
      },
    });
    this.#calls = new Calls({
      part: "wake-ups",
      timeoutMs: taking.settings.operationTimeoutMs,
      onSilence: () => {
        if (publishing.blockedBy === undefined) publishing.drop();
      },
      onClose: async () => {
        this.#listeners.clear();
        await this.#listening.close();
        await onClose();
      },
    });
  }

  publish(topic: WakeupTopic, names: readonly string[], options?: OperationOptions): Promise<void> {
    return this.#calls.run(async () => {
      if (names.length === 0) return;
      const { blockedBy } = this.#publishing;
      if (blockedBy !== undefined) throw blockedError(blockedBy);
      this.#channel ??= this.#open();
      const channel = await this.#channel;
      const exchange = exchangeOf(this.#publishing.settings.prefix, topic);
      for (const payload of toPayloads(names))
        if (!channel.publish(exchange, "", payload)) await once(channel, "drain");
    }, options);
  }

  subscribe(topic: WakeupTopic, listener: Listener): () => void {
    this.#calls.requireOpen();
    const end = this.#listeners.add(topic, listener);
    this.#listening.listenTo(topic);
    return end;
  }

  close(): Promise<void> {
    return this.#calls.close();
  }

  #open(): Promise<Channel> {
    const forget = (): void => {
      if (this.#channel === opening) this.#channel = undefined;
    };
    const opening = (async () => {
      const model = await this.#publishing.open();
      const channel = await model.createChannel();
      channel.on("error", () => {});
      channel.on("handler-error", () => {});
      channel.on("close", forget);
      for (const topic of TOPICS) await declareExchange(channel, this.#publishing.settings.prefix, topic);
      return channel;
    })();
    opening.catch(forget);
    return opening;
  }
}
