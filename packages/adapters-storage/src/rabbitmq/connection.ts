import { GatewayError } from "@modelgate/core";
import type { ChannelModel } from "amqplib";
import { breakConnection, openConnection } from "./open-connection.ts";
import type { BrokerSettings } from "./options.ts";
import { toGatewayError, unavailable } from "./rabbitmq-error.ts";

const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 5_000;
/** A farewell that takes longer has nobody who reads it. */
const FAREWELL_MS = 1_000;

/** What somebody wants to be told of a connection. */
export interface ConnectionWatcher {
  /** There is a connection, for the first time or again. */
  readonly opened?: (() => void) | undefined;
  readonly lost?: (() => void) | undefined;
  readonly blocked?: ((reason: string) => void) | undefined;
}

/**
 * One connection, opened by the first call that needs it and again by the first one after it was lost. Nobody waits in
 * a queue while the broker is away: after a try that failed, calls fail until its pause is over.
 */
export class RabbitmqConnection {
  readonly settings: BrokerSettings;
  readonly #purpose: string;
  readonly #watchers = new Set<ConnectionWatcher>();
  #opening: Promise<ChannelModel> | undefined;
  #model: ChannelModel | undefined;
  #address = 0;
  #pauseMs = FIRST_PAUSE_MS;
  #failure: { readonly error: GatewayError; readonly untilMs: number } | undefined;
  #isKept = false;
  #timer: NodeJS.Timeout | undefined;
  #isClosed = false;
  #blocked: string | undefined;

  constructor(settings: BrokerSettings, purpose: string) {
    this.settings = settings;
    this.#purpose = purpose;
  }

  /** Why the broker reads nothing of what this connection sends; `undefined` while it does. */
  get blockedBy(): string | undefined {
    return this.#blocked;
  }

  get isOpen(): boolean {
    return this.#model !== undefined;
  }

  watch(watcher: ConnectionWatcher): void {
    this.#watchers.add(watcher);
  }

  /** From now on it is opened again by itself. */
  keep(): void {
    if (this.#isKept) return;
    this.#isKept = true;
    void this.open().catch(() => {});
  }

  open(): Promise<ChannelModel> {
    if (this.#isClosed) return Promise.reject(new GatewayError("CLOSED", "the RabbitMQ broker is closed"));
    if (this.#model !== undefined) return Promise.resolve(this.#model);
    if (this.#opening !== undefined) return this.#opening;
    if (this.#failure !== undefined && performance.now() < this.#failure.untilMs)
      return Promise.reject(this.#failure.error);
    this.#opening = this.#tryAll().finally(() => {
      this.#opening = undefined;
    });
    return this.#opening;
  }

  /** Gives the connection up, because nothing comes any more. */
  drop(): void {
    const model = this.#model;
    if (model === undefined) return;
    this.#lose(model);
    breakConnection(model);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    const model = this.#model ?? (await this.#opening?.catch(() => undefined));
    if (model === undefined) return;
    this.#model = undefined;
    let timer: NodeJS.Timeout | undefined;
    const limit = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, FAREWELL_MS);
    });
    const farewell = Promise.resolve()
      .then(() => model.close())
      .catch(() => {});
    await Promise.race([farewell, limit]);
    clearTimeout(timer);
    breakConnection(model);
  }

  async #tryAll(): Promise<ChannelModel> {
    const { addresses } = this.settings;
    let error: unknown;
    for (let tries = 0; tries < addresses.length && !this.#isClosed; tries += 1) {
      const address = addresses[this.#address % addresses.length];
      if (address === undefined) break;
      try {
        const model = await openConnection(address, this.settings, this.#purpose);
        if (this.#isClosed) {
          breakConnection(model);
          break;
        }
        this.#adopt(model);
        return model;
      } catch (thrown) {
        error = thrown;
        this.#address += 1;
      }
    }
    throw this.#fail(error ?? unavailable("the connection to RabbitMQ was given up"));
  }

  #adopt(model: ChannelModel): void {
    this.#model = model;
    this.#failure = undefined;
    this.#blocked = undefined;
    const since = performance.now();
    model.on("blocked", (reason) => {
      this.#blocked = reason;
      for (const watcher of this.#watchers) watcher.blocked?.(reason);
    });
    model.on("unblocked", () => {
      this.#blocked = undefined;
    });
    model.on("close", () => {
      // A connection that ends soon after it was made is no reason to hurry.
      if (performance.now() - since > LONGEST_PAUSE_MS) this.#pauseMs = FIRST_PAUSE_MS;
      this.#lose(model);
    });
    for (const watcher of this.#watchers) watcher.opened?.();
  }

  #lose(model: ChannelModel): void {
    if (this.#model !== model) return;
    this.#model = undefined;
    this.#blocked = undefined;
    for (const watcher of this.#watchers) watcher.lost?.();
    this.#fail(unavailable("the connection to RabbitMQ was lost"));
  }

  /** Remembers a failure for its pause, which is of random length, so that a broker that comes back is not stormed. */
  #fail(thrown: unknown): GatewayError {
    const error = toGatewayError(thrown);
    const pauseMs = this.#pauseMs * (0.5 + Math.random() / 2);
    this.#pauseMs = Math.min(2 * this.#pauseMs, LONGEST_PAUSE_MS);
    this.#failure = { error, untilMs: performance.now() + pauseMs };
    if (this.#isKept && !this.#isClosed) {
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => void this.open().catch(() => {}), pauseMs + 1);
      this.#timer.unref();
    }
    return error;
  }
}
