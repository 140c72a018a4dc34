import type { Ledger, RecordStore, TaskStore, Wakeups } from "@modelgate/core";
import type { BringsTasks } from "../rows/bring.ts";
import { PostgresLedger } from "./ledger.ts";
import { migrate, requireSchema } from "./migrate.ts";
import { type PostgresStoreOptions, resolveOptions } from "./options.ts";
import { PostgresPool } from "./pool.ts";
import { PostgresRecords } from "./records.ts";
import { PostgresTaskStore } from "./task-store.ts";
import { PostgresWakeups } from "./wakeups.ts";

/** What PostgreSQL keeps, over one set of connections. */
export interface PostgresStore {
  readonly ledger: Ledger & BringsTasks;
  /** The rows of the ledger without its order, for `composeLedger` and a queue; in use instead of `ledger`. */
  readonly tasks: TaskStore;
  readonly records: RecordStore;
  readonly wakeups: Wakeups;
  /** Closes all four, after the calls that are at work. */
  close(): Promise<void>;
}

/**
 * Ledger or task store, records and wake-ups in one PostgreSQL database, for any number of processes. Connects at the first call,
 * and brings the schema up to date then, unless `migrate` is false. Once the last of its parts is closed, so are the
 * connections that it made.
 *
 * Throws `INVALID_OPTIONS`. Calls reject `STORE_UNAVAILABLE`, `STORE_FULL`, `STORE_READ_ONLY`, `STORE_OUTDATED`,
 * `STORE_TOO_NEW`, `UNSUPPORTED` (the server is too old) and `CLOSED`. An abort ends the wait alone: what has reached
 * the server still takes effect.
 */
export function postgresStore(options: PostgresStoreOptions): PostgresStore {
  return openPostgresStore(options, Math.random);
}

/** The same with dice of the caller's, for tests. */
export function openPostgresStore(options: PostgresStoreOptions, random: () => number): PostgresStore {
  const pool = new PostgresPool(resolveOptions(options));
  let readying: Promise<void> | undefined;
  const ready = (): Promise<void> => {
    readying ??= (async () => {
      await (pool.options.migrate ? migrate(pool) : requireSchema(pool));
    })().catch((error: unknown) => {
      // Whoever calls next tries again.
      readying = undefined;
      throw error;
    });
    return readying;
  };
  let open = 4;
  const onClose = async (): Promise<void> => {
    open -= 1;
    if (open === 0) await pool.close();
  };
  const ledger = new PostgresLedger(pool, { ready, onClose, random });
  const tasks = new PostgresTaskStore(pool, { ready, onClose, random });
  const records = new PostgresRecords(pool, { ready, onClose });
  const wakeups = new PostgresWakeups(pool, { ready, onClose });
  return {
    ledger,
    tasks,
    records,
    wakeups,
    async close() {
      await Promise.all([ledger.close(), tasks.close(), records.close(), wakeups.close()]);
    },
  };
}
