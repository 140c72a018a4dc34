import { setTimeout } from "node:timers/promises";
import type pg from "pg";
import { destroy } from "./own-client.ts";
import type { PostgresPool } from "./pool.ts";

/** What is used of a client of the `pg` package to listen. */
type ListeningClient = Pick<pg.Client, "on" | "once" | "query"> & { unref?: () => void };

interface Connection {
  readonly client: ListeningClient;
  end(): Promise<void>;
}

/** The first wait after a loss; each further one is up to twice as long. */
const FIRST_WAIT_MS = 100;
const LONGEST_WAIT_MS = 5_000;

/** What only listens would never notice that a firewall has forgotten its connection. Waits a third of it for an answer. */
const PROBE_MS = 30_000;

/** A farewell that takes longer has nobody who reads it. */
const FAREWELL_MS = 1_000;

export interface ListeningOptions {
  readonly channel: string;
  /** Each notification. */
  readonly heard: (payload: string) => void;
  /** It listens after a time in which it did not, though it should have. */
  readonly resumed: () => void;
  readonly probeMs?: number | undefined;
}

/** Listens on one channel over a connection of its own, which is made anew whenever it was lost. */
export class Listening {
  readonly #pool: PostgresPool;
  readonly #options: ListeningOptions;
  #running: Promise<void> | undefined;
  #isClosed = false;
  #waitMs = FIRST_WAIT_MS;
  /** Ends what is being waited for now. */
  #over = new AbortController();

  constructor(pool: PostgresPool, options: ListeningOptions) {
    this.#pool = pool;
    this.#options = options;
  }

  start(): void {
    if (canListen(this.#pool) && !this.#isClosed) this.#running ??= this.#run();
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#over.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    let isFirst = true;
    while (!this.#isClosed) {
      // Whatever ended it, the next try tells whether that lasts; until then polling does the work.
      await this.#listen(isFirst).catch(() => {});
      isFirst = false;
      // Of random length, so that a server that comes back is not met by everybody at once.
      await pause(this.#waitMs * (0.5 + Math.random() / 2), this.#begin().signal);
      this.#waitMs = Math.min(2 * this.#waitMs, LONGEST_WAIT_MS);
    }
  }

  /** Settles when the connection was lost, or could not be made, or is not wanted any more. */
  async #listen(isFirst: boolean): Promise<void> {
    const { channel, heard, resumed, probeMs = PROBE_MS } = this.#options;
    const limitMs = probeMs / 3;
    const over = this.#begin();
    const connecting = connect(this.#pool);
    const { client, end } = await within(
      2 * this.#pool.options.connectTimeoutMs,
      connecting,
      over.signal,
    ).catch((error: unknown) => {
      void connecting.then((late) => late.end()).catch(() => {});
      throw error;
    });
    let since = Number.POSITIVE_INFINITY;
    try {
      client.once("end", () => over.abort());
      client.on("notification", ({ payload }) => heard(payload ?? ""));
      // Listening alone keeps no process alive.
      client.unref?.();
      await within(limitMs, client.query(`LISTEN ${channel}`), over.signal);
      since = performance.now();
      if (!isFirst) resumed();
      for (;;) {
        await pause(probeMs, over.signal);
        if (over.signal.aborted) return;
        await within(limitMs, client.query("SELECT 1"), over.signal);
      }
    } finally {
      if (performance.now() - since > LONGEST_WAIT_MS) this.#waitMs = FIRST_WAIT_MS;
      await end();
    }
  }

  #begin(): AbortController {
    this.#over = new AbortController();
    if (this.#isClosed) this.#over.abort();
    return this.#over;
  }
}

/**
 * Behind a pooler the server's session belongs to somebody else a moment later, and of a pool that was handed in the
 * only connection is needed for everything else.
 */
function canListen({ options: { pooler, client } }: PostgresPool): boolean {
  return !pooler && (client as { options?: { max?: number } } | undefined)?.options?.max !== 1;
}

/** One of its own; of a pool that was handed in, one that the pool then does not get back. */
async function connect(pool: PostgresPool): Promise<Connection> {
  const handedIn = pool.options.client;
  if (handedIn !== undefined) {
    const lent = await handedIn.connect();
    lent.on("error", () => {});
    return { client: lent as unknown as ListeningClient, end: async () => lent.release(true) };
  }
  const client = await pool.connectAlone();
  return {
    client,
    async end() {
      await within(FAREWELL_MS, client.end(), new AbortController().signal).catch(() => destroy(client));
    },
  };
}

/** Rejects when `done` takes longer, or when the signal is aborted before. */
async function within<T>(limitMs: number, done: Promise<T>, signal: AbortSignal): Promise<T> {
  const waited = new AbortController();
  const stop = (): void => waited.abort();
  signal.addEventListener("abort", stop, { once: true });
  if (signal.aborted) stop();
  try {
    const first = await Promise.race([done.then((value) => ({ value })), pause(limitMs, waited.signal)]);
    if (first === undefined) throw new Error("no answer");
    return first.value;
  } finally {
    signal.removeEventListener("abort", stop);
    stop();
  }
}

/** Waits so long, or until the signal is aborted; keeps no process alive. */
async function pause(ms: number, signal: AbortSignal): Promise<undefined> {
  // It rejects at an abort, which ends the wait as well as its time does.
  return await setTimeout(ms, undefined, { signal, ref: false }).catch(() => undefined);
}
