import { GatewayError, type OperationOptions, type Wakeups, type WakeupTopic } from "@modelgate/core";
import { unlessAborted } from "@modelgate/core/adapter";
import { type Listener, Listeners } from "../wakeups/listeners.ts";
import { namesOf, toMessages } from "../wakeups/name-messages.ts";
import type { RedisConnection } from "./connection.ts";
import { keySpace } from "./options.ts";
import { Listening } from "./wakeups-listening.ts";
import { Outbox } from "./wakeups-outbox.ts";

const TOPICS: readonly WakeupTopic[] = ["work", "ended", "deployments"];

interface RedisWakeupsOptions {
  /** Called once, by the first `close`. */
  readonly onClose: () => void;
  readonly probeMs?: number | undefined;
}

/**
 * Hints by `PUBLISH`, which all nodes of a Cluster pass on. One connection listens for all who subscribe here. What is
 * told while it is away is lost; then, polling is the net.
 */
export class RedisWakeups implements Wakeups {
  readonly #connection: RedisConnection;
  readonly #options: RedisWakeupsOptions;
  readonly #listening: Listening;
  readonly #listeners = new Listeners();
  readonly #outbox: Record<WakeupTopic, Outbox>;
  #closing: Promise<void> | undefined;

  constructor(connection: RedisConnection, options: RedisWakeupsOptions) {
    this.#connection = connection;
    this.#options = options;
    this.#outbox = {
      work: this.#newOutbox("work"),
      ended: this.#newOutbox("ended"),
      deployments: this.#newOutbox("deployments"),
    };
    let hasWarned = false;
    this.#listening = new Listening(connection, {
      channels: TOPICS.map((topic) => this.#channelOf(topic)),
      heard: (channel, message) => this.#heard(channel, message),
      resumed: () => {
        for (const topic of TOPICS) this.#listeners.tell(topic, []);
      },
      failed: (error) => {
        // What will not mend itself would otherwise only show as tasks that begin late.
        if (hasWarned || error.retryable) return;
        hasWarned = true;
        connection.options.onWarning(`wake-ups of other processes are not heard: ${error.message}`);
      },
      probeMs: options.probeMs,
    });
  }

  async publish(topic: WakeupTopic, names: readonly string[], options?: OperationOptions): Promise<void> {
    this.#requireOpen();
    const signal = options?.signal;
    signal?.throwIfAborted();
    if (names.length === 0) return;
    await unlessAborted(this.#outbox[topic].add(names), signal);
  }

  subscribe(topic: WakeupTopic, listener: Listener): () => void {
    this.#requireOpen();
    const end = this.#listeners.add(topic, listener);
    this.#listening.start();
    return end;
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.#listeners.clear();
    this.#listening.close();
    await Promise.all(TOPICS.map((topic) => this.#outbox[topic].idle()));
    this.#options.onClose();
  }

  #newOutbox(topic: WakeupTopic): Outbox {
    return new Outbox(async (names) => {
      const channel = this.#channelOf(topic);
      await Promise.all(
        toMessages(names).map((message) => this.#connection.call("publish", [channel, message])),
      );
    });
  }

  #channelOf(topic: WakeupTopic): string {
    return `${keySpace(this.#connection.options)}wake:${topic}`;
  }

  #heard(channel: string, message: string): void {
    const topic = TOPICS.find((each) => channel === this.#channelOf(each));
    const names = namesOf(message);
    if (topic !== undefined && names !== undefined) this.#listeners.tell(topic, names);
  }

  #requireOpen(): void {
    if (this.#closing !== undefined) throw new GatewayError("CLOSED", "the Redis wake-ups are closed");
  }
}
