import { createHash } from "node:crypto";
import { GatewayError } from "@modelgate/core";
import pg from "pg";
import type { SqlRow } from "../rows/task-row.ts";
import { connectionOptions, sessionSettings } from "./connection-options.ts";
import { sendTogether } from "./one-write.ts";
import type { PostgresClientLike, PostgresPoolLike, ResolvedOptions } from "./options.ts";
import { OwnClient } from "./own-client.ts";
import { isLost, isUndone } from "./postgres-error.ts";

/** A statement as it is sent. Its name is made of its text, so that one pool may serve several schemas. */
export interface Statement {
  readonly name: string;
  readonly text: string;
}

export function statement(text: string): Statement {
  return { name: `mg_${createHash("sha256").update(text).digest("hex").slice(0, 24)}`, text };
}

/** Something that runs statements one after another. They may be sent without waiting for the one before. */
export interface Executor {
  query(sql: Statement, values?: readonly unknown[]): Promise<SqlRow[]>;
}

export interface Transaction extends Executor {
  /**
   * Commits. May be called without waiting for the statements before it: if one of them fails, so does this.
   * A transaction that did not call it is undone.
   */
  commit(): Promise<void>;
}

/** How often a transaction that the server undid, or whose connection was lost, is run again. */
const MOST_TRIES = 4;

/**
 * The connections of one store: made when they are needed, pipelined, and given up when in doubt. What the driver
 * throws comes as it is; whoever answers a caller translates it by `toGatewayError`.
 */
export class PostgresPool {
  readonly options: ResolvedOptions;
  readonly #pool: PostgresPoolLike;
  readonly #own: pg.Pool | undefined;
  readonly #begin: string;
  readonly #isPlain: boolean;
  #closing: Promise<void> | undefined;

  constructor(options: ResolvedOptions) {
    this.options = options;
    const { statementTimeoutMs, pooler, client } = options;
    // A session of our own has its settings from the start; any other gets them anew in each transaction.
    this.#isPlain = !pooler && client === undefined;
    const local = Object.entries(sessionSettings(statementTimeoutMs))
      .map(([name, value]) => `SET LOCAL ${name} = '${value}';`)
      .join(" ");
    this.#begin = this.#isPlain ? "BEGIN" : `BEGIN; ${local}`;
    if (client === undefined) {
      this.#own = new pg.Pool({
        ...connectionOptions(options),
        Client: OwnClient,
        max: options.maxConnections,
        idleTimeoutMillis: 30_000,
        allowExitOnIdle: true,
      });
      // A connection that breaks while it rests is dropped by the pool, and the next call makes another.
      this.#own.on("error", () => {});
      this.#pool = this.#own as unknown as PostgresPoolLike;
    } else this.#pool = client;
  }

  /** One statement as a transaction of its own. Must be safe to repeat. */
  async query(sql: Statement, values: readonly unknown[] = []): Promise<SqlRow[]> {
    if (this.#isPlain) return await this.#use((client) => this.#executor(client).query(sql, values));
    return await this.transaction(async (tx) => {
      const rows = tx.query(sql, values);
      await tx.commit();
      return await rows;
    });
  }

  /**
   * Runs `work` in a transaction. It is run again when the server undid it, and when the connection was lost, in
   * which case nobody knows whether it took effect: so it must be safe to repeat.
   */
  async transaction<T>(work: (tx: Transaction) => Promise<T>): Promise<T> {
    return await this.#use(async (client) => {
      const executor = this.#executor(client);
      sendTogether(client);
      const started = quiet(client.query({ text: this.#begin }));
      let isCommitted = false;
      const commit = async (): Promise<void> => {
        const [, result] = await Promise.all([started, quiet(client.query({ text: "COMMIT" }))]);
        // An error that nobody waited for made a rollback of it.
        if (result.command !== "COMMIT")
          throw new GatewayError("STORE_UNAVAILABLE", "PostgreSQL undid a transaction; call again");
      };
      const tx: Transaction = {
        query: executor.query,
        commit() {
          isCommitted = true;
          return quiet(commit());
        },
      };
      const value = await work(tx);
      if (!isCommitted) await client.query({ text: "ROLLBACK" });
      return value;
    });
  }

  /** A statement that cannot run in a transaction, as `VACUUM`. */
  async alone(text: string): Promise<void> {
    await this.#use(async (client) => void (await client.query({ text })));
  }

  /** A connection for whoever needs one of its own; the caller ends it. Rejects while the store is closed. */
  async connectAlone(): Promise<pg.Client> {
    this.#requireOpen();
    const client = new OwnClient(connectionOptions(this.options, false));
    client.on("error", () => {});
    await client.connect();
    return client;
  }

  /** Ends the connections that it made, after the calls that are at work. */
  close(): Promise<void> {
    this.#closing ??= this.#own?.end() ?? Promise.resolve();
    return this.#closing;
  }

  #requireOpen(): void {
    if (this.#closing !== undefined) throw new GatewayError("CLOSED", "the PostgreSQL store is closed");
  }

  #executor(client: PostgresClientLike): Executor {
    const { pooler } = this.options;
    return {
      // Quiet, as whoever sends several at once awaits only those up to the first that fails.
      query: (sql, values = []) => {
        const config = { text: sql.text, values: values as unknown[], rowMode: "array" } as const;
        sendTogether(client);
        const sent = client.query(pooler ? config : { ...config, name: sql.name });
        return quiet(sent.then(({ rows }) => rows as SqlRow[]));
      },
    };
  }

  /** What was begun goes on to its end: whoever waits with a signal gives up by himself. */
  async #use<T>(work: (client: PostgresClientLike) => Promise<T>): Promise<T> {
    this.#requireOpen();
    for (let tries = 1; ; tries += 1) {
      let wasConnected = false;
      try {
        return await this.#once(async (client) => {
          wasConnected = true;
          return await work(client);
        });
      } catch (error) {
        // A lost connection may have been stale for long: a fresh one tells. Where none can be made, the caller decides.
        const again = isUndone(error) ? tries < MOST_TRIES : wasConnected && isLost(error) && tries < 2;
        if (!again) throw error;
        if (isUndone(error))
          await new Promise((resolve) => setTimeout(resolve, Math.random() * 10 * 2 ** tries));
      }
    }
  }

  async #once<T>(work: (client: PostgresClientLike) => Promise<T>): Promise<T> {
    const client = await this.#pool.connect();
    const onError = (): void => {};
    client.on("error", onError);
    let isDoubtful = true;
    try {
      const value = await work(client);
      isDoubtful = false;
      return value;
    } finally {
      client.removeListener("error", onError);
      // Statements may be left in a state that only the server knows; a new connection costs less than a doubt.
      client.release(isDoubtful);
    }
  }
}

/** A promise whose rejection is never reported as unhandled; whoever awaits it still gets it. */
function quiet<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => {});
  return promise;
}
