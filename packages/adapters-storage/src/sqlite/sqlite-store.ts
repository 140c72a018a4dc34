import { type Closable, GatewayError, type Ledger, type RecordStore, type TaskStore } from "@modelgate/core";
import type { BringsTasks } from "../rows/bring.ts";
import { type DriverName, requireDriverName } from "./driver.ts";
import { SqliteLedger } from "./ledger-client.ts";
import { SqliteRecords } from "./record-client.ts";
import { StoreClient } from "./store-client.ts";
import { SqliteTaskStore } from "./task-store-client.ts";

export interface SqliteStoreOptions {
  /** Where `modelgate.db` is; made if it is not there, readable by its owner only. On a local disk. */
  readonly directory: string;
  /** How long a call waits while other processes write, in milliseconds; 10,000 by default. */
  readonly busyTimeoutMs?: number | undefined;
  /** The engine; by default the one that Node brings, from 22.13 on, else `libsql`. Both read the same file. */
  readonly driver?: DriverName | undefined;
}

/** A ledger and a record store in one database file. */
export interface SqliteStore extends Closable {
  readonly ledger: Ledger & BringsTasks;
  /** The tasks of the ledger without its order, for `composeLedger` and a queue of another kind. */
  readonly tasks: TaskStore;
  readonly records: RecordStore;
}

const DEFAULT_BUSY_TIMEOUT_MS = 10_000;

/**
 * Everything in one SQLite database, which a thread of its own works on. It opens at the first call; call
 * `ledger.stats()` to learn early whether it can. Any number of processes on one machine may share the directory.
 *
 * Closing the records and the ledger, or the task store where that is used in its place, closes the store, as does
 * `close`, which first finishes what was called before.
 *
 * Calls reject `STORE_UNAVAILABLE`, `STORE_FULL`, `STORE_READ_ONLY`, `STORE_TOO_NEW` and `CLOSED`. An abort ends the
 * wait alone: what has reached the thread still takes effect.
 */
export function sqliteStore(options: SqliteStoreOptions): SqliteStore {
  return openSqliteStore(options).store;
}

/** The same, with what tests need of its inside. */
export function openSqliteStore(options: SqliteStoreOptions): { store: SqliteStore; client: StoreClient } {
  const { directory, busyTimeoutMs = DEFAULT_BUSY_TIMEOUT_MS } = options;
  if (typeof directory !== "string" || directory === "" || directory.includes("\0")) {
    throw new GatewayError("INVALID_OPTIONS", "directory must be a path", {
      details: { field: "directory" },
    });
  }
  if (!(busyTimeoutMs >= 0 && busyTimeoutMs <= 2 ** 31)) {
    throw new GatewayError(
      "INVALID_OPTIONS",
      `busyTimeoutMs is ${busyTimeoutMs}; give milliseconds from 0 on`,
      {
        details: { field: "busyTimeoutMs" },
      },
    );
  }
  const driver = requireDriverName(options.driver ?? process.env["MODELGATE_SQLITE_DRIVER"]);
  const client = new StoreClient({ directory, busyTimeoutMs, driver });
  const onClose = async (): Promise<void> => {
    // Of ledger and tasks most callers use one, and close that alone.
    const isInUse = ledger.isInUse || tasks.isInUse || !(ledger.isClosed || tasks.isClosed);
    await (isInUse || !records.isClosed ? client.idle() : client.close());
  };
  const ledger = new SqliteLedger(client, onClose);
  const tasks = new SqliteTaskStore(client, onClose);
  const records = new SqliteRecords(client, onClose);
  const store: SqliteStore = {
    ledger,
    tasks,
    records,
    async close() {
      await client.close();
      await Promise.all([ledger.close(), tasks.close(), records.close()]);
    },
  };
  return { store, client };
}
