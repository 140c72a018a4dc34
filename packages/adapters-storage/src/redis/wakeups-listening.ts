import type { GatewayError } from "@modelgate/core";
import type { Redis } from "ioredis";
import type { RedisConnection } from "./connection.ts";
import { Link } from "./connection-link.ts";

/** What only listens would never notice that a firewall has forgotten its connection. */
const PROBE_MS = 15_000;

export interface ListeningOptions {
  readonly channels: readonly string[];
  readonly heard: (channel: string, message: string) => void;
  /** It listens after a time in which it did not, though it should have. */
  readonly resumed: () => void;
  /** Why it does not listen, each time that it fails. */
  readonly failed: (error: GatewayError) => void;
  readonly probeMs?: number | undefined;
}

/** Listens over a connection of its own, which is made anew whenever it was lost. */
export class Listening {
  readonly #options: ListeningOptions;
  readonly #link: Link<Redis>;
  #probing: NodeJS.Timeout | undefined;
  #hasMissed = false;

  constructor(connection: RedisConnection, options: ListeningOptions) {
    this.#options = options;
    const missed = (): void => {
      this.#hasMissed = true;
    };
    this.#link = new Link({
      place: connection.options.place,
      open: async () => this.#listen(await connection.openSubscriber()),
      lost: missed,
      failed: (error) => {
        missed();
        options.failed(error);
      },
    });
  }

  start(): void {
    if (this.#probing !== undefined) return;
    this.#probing = setInterval(() => this.#probe(), this.#options.probeMs ?? PROBE_MS).unref();
    // Whether or not it can be made, it is tried again, and until then polling does the work.
    this.#link.client().catch(() => {});
  }

  close(): void {
    clearInterval(this.#probing);
    this.#link.close();
  }

  async #listen(client: Redis): Promise<Redis> {
    try {
      client.on("message", (channel: string, message: string) => this.#options.heard(channel, message));
      // Listening alone keeps no process alive.
      client.stream.unref();
      await client.subscribe(...this.#options.channels);
    } catch (error) {
      client.disconnect();
      throw error;
    }
    if (this.#hasMissed) this.#options.resumed();
    this.#hasMissed = false;
    return client;
  }

  /** An answer that does not come in time ends the connection, which is the client's own rule. */
  #probe(): void {
    this.#link.current?.ping().catch(() => {});
  }
}
