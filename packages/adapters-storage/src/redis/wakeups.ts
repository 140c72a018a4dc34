import { GatewayError, type OperationOptions, type Wakeups, type WakeupTopic } from "@modelgate/core";
import { unlessAborted } from "@modelgate/core/adapter";
import type { RedisConnection } from "./connection.ts";
import { keySpace } from "./options.ts";
import { Listening } from "./wakeups-listening.ts";
import { namesOf, toMessages } from "./wakeups-message.ts";
import { Outbox } from "./wakeups-outbox.ts";

type Listener = (names: readonly string[]) => void;

/** An object for each subscription: the same function may come twice. */
interface Subscription {
  readonly tell: Listener;
}

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
  readonly #subscriptions: Record<WakeupTopic, Set<Subscription>> = {
    work: new Set(),
    ended: new Set(),
    deployments: new Set(),
  };
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
        for (const topic of TOPICS) this.#tell(topic, []);
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
    const subscription: Subscription = { tell: listener };
    this.#subscriptions[topic].add(subscription);
    this.#listening.start();
    return () => void this.#subscriptions[topic].delete(subscription);
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    for (const subscriptions of Object.values(this.#subscriptions)) subscriptions.clear();
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
    if (topic !== undefined && names !== undefined) this.#tell(topic, names);
  }

  #tell(topic: WakeupTopic, names: readonly string[]): void {
    const subscriptions = this.#subscriptions[topic];
    for (const subscription of [...subscriptions]) {
      if (!subscriptions.has(subscription)) continue;
      try {
        subscription.tell(names);
      } catch {
        // The contract forbids it; the others are told all the same.
      }
    }
  }

  #requireOpen(): void {
    if (this.#closing !== undefined) throw new GatewayError("CLOSED", "the Redis wake-ups are closed");
  }
}
