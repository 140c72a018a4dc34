import { type Clock, GatewayError } from "@modelgate/core";
import type { EngineConnection } from "../connection/connection.ts";
import { unavailable } from "../connection/engine-error.ts";
import { type EngineEvent, openEvents } from "../connection/events.ts";
import { type ListedContainer, listedContainers } from "./listed-container.ts";

/** One answer of the engine about all containers. */
export interface Listing {
  readonly containers: readonly ListedContainer[];
  /** Ids of those of which something was heard while it was made: it may be older than that. */
  readonly touched: ReadonlySet<string>;
  /** When it was made, by the engine's clock. */
  readonly at: Date | undefined;
}

export interface EngineWatcher {
  /** A new connection stands; nothing of it was told yet. */
  onConnect(): Promise<void>;
  /** Everything after a gap in what was heard. */
  onGap(listing: Listing): Promise<void>;
  /** Everything, to be sure. Resolves whether it shows something that ought to have been heard of. */
  onListing(listing: Listing): Promise<boolean>;
  onEvent(event: EngineEvent): void;
}

export interface EngineWatchOptions {
  readonly connection: EngineConnection;
  readonly watcher: EngineWatcher;
  readonly clock: Clock;
  /** Labels that the containers listed must have. */
  readonly required: readonly string[];
  readonly listIntervalMs: number;
}

const EVENTS: Readonly<Record<string, readonly string[]>> = {
  type: ["container", "network"],
  event: [
    ...["start", "die", "kill", "pause", "unpause", "rename", "update", "health_status", "destroy"],
    ...["connect", "disconnect"],
  ],
};

const FIRST_RETRY_MS = 100;
/** Where there is no engine, asking costs next to nothing, and whoever starts one waits for us. */
const MAX_RETRY_MS = 1000;
/** Where one answers, but not as it should. */
const MAX_REFUSED_RETRY_MS = 5000;

/**
 * Keeps listening to an engine: listens first and lists then, and lists anew after every gap. Streams of events have
 * been seen to fall silent without an end, so that all is listed once in a while even so.
 */
export class EngineWatch {
  readonly #options: EngineWatchOptions;
  readonly #closing = new AbortController();
  #isRunning = false;
  /** Present while events are heard. */
  #session: Session | undefined;

  constructor(options: EngineWatchOptions) {
    this.#options = options;
  }

  start(): void {
    if (this.#isRunning || this.#closing.signal.aborted) return;
    this.#isRunning = true;
    void this.#run();
  }

  /** Lists now; resolves when what it shows has been told. Without a connection there is nothing to wait for. */
  async list(): Promise<void> {
    await this.#session?.list();
  }

  /** Something does not fit together: connects and lists anew. */
  doubt(): void {
    this.#session?.end();
  }

  close(): void {
    this.#closing.abort(new GatewayError("CLOSED", "the Docker discovery was closed"));
    this.#session?.end();
  }

  async #run(): Promise<void> {
    const { signal } = this.#closing;
    for (let failures = 0; !signal.aborted; failures += 1) {
      const session = new Session(this.#options, signal);
      let maxMs = MAX_RETRY_MS;
      try {
        await session.open();
        this.#session = session;
        failures = 0;
        await session.ended();
      } catch (error) {
        if (!GatewayError.is(error, "DEPLOYER_UNAVAILABLE")) maxMs = MAX_REFUSED_RETRY_MS;
      } finally {
        this.#session = undefined;
        session.end();
      }
      await this.#pause(Math.min(maxMs, FIRST_RETRY_MS * 2 ** Math.min(failures, 10)));
    }
  }

  /** Processes that lost the same engine do not all come back at once. */
  #pause(ms: number): Promise<void> {
    const { signal } = this.#closing;
    if (signal.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const wake = (): void => {
        signal.removeEventListener("abort", wake);
        cancel();
        resolve();
      };
      const cancel = this.#options.clock.after(ms * (0.75 + Math.random() / 4), wake);
      signal.addEventListener("abort", wake, { once: true });
    });
  }
}

/** From the beginning of one stream of events to its end. */
class Session {
  readonly #options: EngineWatchOptions;
  readonly #stop = new AbortController();
  readonly #signal: AbortSignal;
  #reading: Promise<void> = Promise.resolve();
  readonly #touched = new Set<Set<string>>();
  #listing: Promise<unknown> | undefined;
  #nextListing: Promise<unknown> | undefined;
  #cancelTimer: () => void = () => {};

  constructor(options: EngineWatchOptions, closing: AbortSignal) {
    this.#options = options;
    this.#signal = this.#stop.signal;
    if (closing.aborted) this.end();
  }

  /** Resolves when what there is has been told. */
  async open(): Promise<void> {
    const { connection, watcher } = this.#options;
    const signal = this.#signal;
    const { at } = await connection.ping({ signal });
    await watcher.onConnect();
    const stream = await openEvents(connection, { filters: EVENTS, since: at, signal });
    this.#reading = this.#read(stream.events).finally(() => this.end());
    this.#reading.catch(() => {});
    const telling = this.#listed().then((listing) => watcher.onGap(listing));
    await Promise.race([telling, this.#reading]);
    signal.throwIfAborted();
    this.#listLater();
  }

  /** Resolves when nothing more is heard. */
  async ended(): Promise<void> {
    await this.#reading.catch(() => {});
  }

  end(): void {
    this.#cancelTimer();
    if (!this.#signal.aborted) this.#stop.abort(unavailable("the engine's events have ended", "gap"));
  }

  /** Resolves when a listing that began after this call has been told. */
  async list(): Promise<void> {
    await this.#listNow();
  }

  async #read(events: AsyncIterable<EngineEvent>): Promise<void> {
    for await (const event of events) {
      if (this.#signal.aborted) return;
      const id = event.type === "network" ? event.attributes["container"] : event.id;
      if (id !== undefined) for (const touched of this.#touched) touched.add(id);
      this.#options.watcher.onEvent(event);
    }
  }

  #listNow(): Promise<unknown> {
    if (this.#listing === undefined) {
      this.#listing = this.#listAndTell().finally(() => {
        this.#listing = undefined;
      });
      return this.#listing;
    }
    this.#nextListing ??= this.#listing
      .catch(() => {})
      .then(() => {
        this.#nextListing = undefined;
        return this.#listNow();
      });
    return this.#nextListing;
  }

  async #listAndTell(): Promise<boolean> {
    this.#cancelTimer();
    const isUnheard = await this.#options.watcher.onListing(await this.#listed());
    this.#listLater();
    return isUnheard;
  }

  #listLater(): void {
    this.#cancelTimer();
    if (this.#signal.aborted) return;
    this.#cancelTimer = this.#options.clock.after(this.#options.listIntervalMs, () => {
      this.#listNow().then(
        (isUnheard) => {
          if (isUnheard === true) this.end();
        },
        () => this.end(),
      );
    });
  }

  async #listed(): Promise<Listing> {
    const { connection, required } = this.#options;
    const touched = new Set<string>();
    this.#touched.add(touched);
    try {
      const { body, headers } = await connection.call({
        path: "/containers/json",
        query: { filters: { label: required } },
        signal: this.#signal,
      });
      const at = new Date(headers.date ?? "");
      return {
        containers: listedContainers(body),
        touched,
        at: Number.isNaN(at.getTime()) ? undefined : at,
      };
    } finally {
      this.#touched.delete(touched);
    }
  }
}
