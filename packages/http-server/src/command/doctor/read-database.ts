import { createRequire } from "node:module";

/** What can be told of a database without changing it. */
export interface DatabaseView {
  readonly applicationId: number;
  readonly version: number;
  /** What SQLite found wrong, at most a few; empty when nothing is. Absent when it was not asked. */
  readonly faults?: readonly string[] | undefined;
}

interface RawDatabase {
  exec(sql: string): unknown;
  prepare(sql: string): { all(): unknown[] };
  close(): void;
}

/** Reads a database beside whoever else has it open. It blocks. Throws its errors. */
export function readDatabase(path: string, withCheck: boolean): DatabaseView {
  const db = openEngine(path);
  try {
    db.exec("PRAGMA busy_timeout = 2000; PRAGMA query_only = ON");
    const faults = withCheck ? valuesOf(db, "PRAGMA quick_check(5)").map(String) : undefined;
    return {
      applicationId: Number(valuesOf(db, "PRAGMA application_id")[0]),
      version: Number(valuesOf(db, "PRAGMA user_version")[0]),
      faults: faults?.filter((fault) => fault !== "ok"),
    };
  } finally {
    db.close();
  }
}

/** The engine that the store uses too: Node's own from 22.13 on, else libsql, which has no mode for reading alone. */
function openEngine(path: string): RawDatabase {
  const require = createRequire(import.meta.url);
  const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
  if (major > 22 || (major === 22 && minor >= 13)) {
    const { DatabaseSync } = require("node:sqlite") as {
      DatabaseSync: new (path: string, options: { readOnly: boolean }) => RawDatabase;
    };
    return new DatabaseSync(path, { readOnly: true });
  }
  const Libsql = require("libsql") as new (path: string) => RawDatabase;
  return new Libsql(path);
}

function valuesOf(db: RawDatabase, sql: string): unknown[] {
  return db
    .prepare(sql)
    .all()
    .map((row) => Object.values(row as object)[0]);
}
