import { join } from "node:path";
import type { TaskRecord } from "@modelgate/core";
import { type SqlRow, TASK_COLUMNS, toRecord } from "../../../adapters-storage/src/rows/task-row.ts";
import { openDriver } from "../../../adapters-storage/src/sqlite/driver.ts";

/** A task's row as a transaction left it. */
export interface RowChange {
  /** By the store's clock, in the transaction and so before anybody could see it. */
  readonly atMs: number;
  readonly task: TaskRecord;
}

/**
 * The border of the store, seen from outside: a trigger writes each change of a task's row down, in the transaction
 * that makes it, so that nothing is seen that was not committed and nothing committed is missed.
 */
export interface StoreWatch {
  /** Begins to watch. The tables of the store are there already. */
  install(): Promise<void>;
  /** Every change so far, in the order in which they were made. */
  changes(): Promise<readonly RowChange[]>;
  /** The rows as they are now. */
  tasks(): Promise<readonly TaskRecord[]>;
  holds(): Promise<readonly { readonly server: string; readonly id: string }[]>;
  /** For planted faults, which do to the store what it must never do itself. */
  readonly run: (sql: string) => Promise<void>;
  /** Where the rows of ended tasks are. */
  readonly endedTable: string;
  close(): Promise<void>;
}

const COLUMNS = TASK_COLUMNS.split(",").map((name) => name.trim());

export function watchSqlite(directory: string): StoreWatch {
  const file = join(directory, "modelgate.db");
  // Opened for each question and closed again: the store is somebody else's, who may be killed or look for others.
  const using = async <T>(use: (db: ReturnType<typeof openDriver>) => T): Promise<T> => {
    const db = openDriver(file);
    try {
      db.exec("PRAGMA busy_timeout = 10000");
      return use(db);
    } finally {
      db.close();
    }
  };
  return {
    install: () =>
      using((db) => {
        const values = COLUMNS.map((name) => `NEW.${name}`).join(", ");
        const note = `INSERT INTO chaos_rows SELECT NULL, (julianday('now') - 2440587.5) * 86400000.0, ${values};`;
        db.exec(`CREATE TABLE chaos_rows (change INTEGER PRIMARY KEY, at NUMERIC, ${COLUMNS.join(", ")});
          CREATE TRIGGER chaos_made AFTER INSERT ON tasks BEGIN ${note} END;
          CREATE TRIGGER chaos_changed AFTER UPDATE ON tasks BEGIN ${note} END;`);
      }),
    changes: () =>
      using((db) => {
        const rows = db.sql(`SELECT at, ${TASK_COLUMNS} FROM chaos_rows ORDER BY change`).all([]);
        return rows.map(([at, ...row]) => ({ atMs: at as number, task: toRecord(row) }));
      }),
    tasks: () =>
      using((db) =>
        db
          .sql(`SELECT ${TASK_COLUMNS} FROM tasks`)
          .all([])
          .map((row) => toRecord(row)),
      ),
    holds: () =>
      using((db) => {
        const rows: SqlRow[] = db.sql("SELECT server, id FROM holds").all([]);
        return rows.map(([server, id]) => ({ server: server as string, id: id as string }));
      }),
    run: (sql) => using((db) => db.exec(sql)),
    endedTable: "tasks",
    close: async () => {},
  };
}
