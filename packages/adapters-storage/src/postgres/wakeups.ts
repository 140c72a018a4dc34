import { setImmediate as nextTurn, setTimeout as sleep } from "node:timers/promises";
import type { OperationOptions, Wakeups, WakeupTopic } from "@modelgate/core";
import { type Listener, Listeners } from "../wakeups/listeners.ts";
import { Calls, type PartOptions } from "./calls.ts";
import { Listening } from "./listening.ts";
import { type PostgresPool, statement } from "./pool.ts";
import { namesOf, TOPICS, toPayloads } from "./wakeup-payload.ts";

/** Each topic is told so often at most; whatever comes meanwhile goes out together. */
const APART_MS = 5;

/** Kept while the server does not answer. */
const MOST_NAMES = 16_000;

/** One transaction for all payloads. Nothing is lost when a hint is, so that its commit waits for no disk. */
const NOTIFY = statement(
  "SELECT set_config('synchronous_commit', 'off', true), pg_notify($1, payload) FROM unnest($2::text[]) AS payload",
);

interface PostgresWakeupsOptions extends PartOptions {
  readonly probeMs?: number | undefined;
}

/**
 * Hints by `NOTIFY`, always in a transaction of their own after whatever they tell of: inside it, they would make all
 * commits of the database wait for each other. One connection listens for all who subscribe here. What is told while
 * it is away is lost; then, polling is the net.
 */
export class PostgresWakeups implements Wakeups {
  readonly #pool: PostgresPool;
  readonly #calls: Calls;
  readonly #channel: string;
  readonly #listening: Listening;
  readonly #listeners = new Listeners();
  readonly #outbox: Record<WakeupTopic, Outbox>;

  constructor(pool: PostgresPool, options: PostgresWakeupsOptions) {
    this.#pool = pool;
    this.#channel = `modelgate_${pool.options.schema}`;
    this.#outbox = {
      work: this.#newOutbox("work"),
      ended: this.#newOutbox("ended"),
      deployments: this.#newOutbox("deployments"),
    };
    this.#listening = new Listening(pool, {
      channel: this.#channel,
      heard: (payload) => this.#heard(payload),
      // Who waits for work, or follows deployments, may have missed some.
      resumed: () => {
        this.#listeners.tell("work", []);
        this.#listeners.tell("deployments", []);
      },
      probeMs: options.probeMs,
    });
    this.#calls = new Calls("wake-ups", {
      ...options,
      onClose: async () => {
        this.#listeners.clear();
        await Promise.all([this.#listening.close(), ...TOPICS.map((topic) => this.#outbox[topic].idle())]);
        await options.onClose();
      },
    });
  }

  async publish(topic: WakeupTopic, names: readonly string[], options?: OperationOptions): Promise<void> {
    await this.#calls.run(async () => {
      if (names.length > 0) await this.#outbox[topic].add(names);
    }, options);
  }

  subscribe(topic: WakeupTopic, listener: Listener): () => void {
    this.#calls.requireOpen();
    const end = this.#listeners.add(topic, listener);
    this.#listening.start();
    return end;
  }

  close(): Promise<void> {
    return this.#calls.close();
  }

  #newOutbox(topic: WakeupTopic): Outbox {
    return new Outbox(async (names) => {
      await this.#pool.query(NOTIFY, [this.#channel, toPayloads(topic, names)]);
    });
  }

  #heard(payload: string): void {
    const hint = namesOf(payload);
    if (hint !== undefined) this.#listeners.tell(hint.topic, hint.names);
  }
}

/** Sends the names of one turn together, and those that come while it sends, and a moment longer, after them. */
class Outbox {
  readonly #send: (names: readonly string[]) => Promise<void>;
  #next: { readonly names: Set<string>; readonly sent: Promise<void> } | undefined;
  /** What was sent last, and from when on more may be. */
  #sent: Promise<void> = Promise.resolve();
  #free: Promise<unknown> = Promise.resolve();

  constructor(send: (names: readonly string[]) => Promise<void>) {
    this.#send = send;
  }

  /** Resolves when the names have been sent. */
  add(names: readonly string[]): Promise<void> {
    this.#next ??= this.#begin();
    for (const name of names) {
      if (this.#next.names.size === MOST_NAMES) break;
      this.#next.names.add(name);
    }
    return this.#next.sent;
  }

  async idle(): Promise<void> {
    await this.#sent.catch(() => {});
  }

  #begin(): { names: Set<string>; sent: Promise<void> } {
    const names = new Set<string>();
    const sent = this.#free.then(nextTurn).then(() => {
      this.#next = undefined;
      return this.#send([...names]);
    });
    this.#sent = sent;
    this.#free = sent.catch(() => {}).then(() => sleep(APART_MS));
    return { names, sent };
  }
}
