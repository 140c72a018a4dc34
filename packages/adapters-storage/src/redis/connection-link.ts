import { setTimeout as sleep } from "node:timers/promises";
import { GatewayError } from "@modelgate/core";
import type { OwnClient } from "./connection-client.ts";
import { toGatewayError } from "./redis-error.ts";

/** The wait after a connection that was made and lost, and after the first that could not be made. */
const FIRST_WAIT_MS = 50;
const LONGEST_WAIT_MS = 2_000;

export interface LinkOptions<T extends OwnClient> {
  /** Where Redis is, for messages. */
  readonly place: string;
  /** Opens a client that is good to use. */
  readonly open: () => Promise<T>;
  /** Told of each one that is lost. */
  readonly lost?: () => void;
  /** Told why, each time that none could be opened. */
  readonly failed?: (error: GatewayError) => void;
}

/**
 * Keeps one client open from the first use on, and makes a new one whenever it is lost: at once, and then with growing
 * waits of random length, so that a server that comes back is not met by everybody at once.
 */
export class Link<T extends OwnClient> {
  readonly #options: LinkOptions<T>;
  #client: T | undefined;
  #opening: Promise<T> | undefined;
  /** Why the last try failed, until one succeeds. */
  #failure: GatewayError | undefined;
  readonly #closing = new AbortController();
  #waitMs = FIRST_WAIT_MS;
  #openedAt = 0;

  constructor(options: LinkOptions<T>) {
    this.#options = options;
  }

  /** The client that is open now. */
  get current(): T | undefined {
    return this.#client;
  }

  /**
   * The open client, or the one that is being made. While tries fail, it rejects at once with why: nothing piles up
   * for a server that is away.
   */
  async client(): Promise<T> {
    if (this.#closing.signal.aborted) throw this.#closed();
    if (this.#client !== undefined) return this.#client;
    if (this.#failure !== undefined) throw this.#failure;
    this.#opening ??= this.#open(0);
    return await this.#opening;
  }

  /** Gives up this client, as its server is not the one to ask; another is made. */
  drop(client: T): void {
    client.disconnect();
    this.#lose(client);
  }

  close(): void {
    if (this.#closing.signal.aborted) return;
    this.#closing.abort();
    this.#client?.disconnect();
    this.#client = undefined;
  }

  #open(delayMs: number): Promise<T> {
    const opening = this.#try(delayMs);
    // Whoever waits for it is told; where nobody does, the next one to ask is.
    opening.catch(() => {});
    return opening;
  }

  async #try(delayMs: number): Promise<T> {
    const { signal } = this.#closing;
    try {
      await sleep(delayMs * (0.5 + Math.random() / 2), undefined, { signal, ref: false });
      const client = await this.#options.open();
      if (signal.aborted) {
        client.disconnect();
        throw this.#closed();
      }
      this.#failure = undefined;
      this.#opening = undefined;
      this.#client = client;
      this.#openedAt = performance.now();
      client.once("close", () => this.#lose(client));
      if (client.status !== "ready") this.#lose(client);
      return client;
    } catch (error) {
      if (signal.aborted) throw this.#closed();
      this.#failure = toGatewayError(error, this.#options.place);
      this.#opening = this.#open(this.#nextWaitMs());
      this.#options.failed?.(this.#failure);
      throw this.#failure;
    }
  }

  #lose(client: T): void {
    if (this.#client !== client) return;
    this.#client = undefined;
    client.disconnect();
    // One that is lost again and again waits longer each time.
    if (performance.now() - this.#openedAt > LONGEST_WAIT_MS) this.#waitMs = FIRST_WAIT_MS;
    this.#opening = this.#open(this.#nextWaitMs());
    this.#options.lost?.();
  }

  #nextWaitMs(): number {
    const waitMs = this.#waitMs;
    this.#waitMs = Math.min(2 * waitMs, LONGEST_WAIT_MS);
    return waitMs;
  }

  #closed(): GatewayError {
    return new GatewayError("CLOSED", `the connection to ${this.#options.place} is closed`);
  }
}
