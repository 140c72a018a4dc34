import { createRequire } from "node:module";
import { GatewayError } from "@modelgate/core";
import type { SqlRow, SqlValue } from "../rows/task-row.ts";

/** One prepared statement. Rows come as arrays, in the order of their columns. */
interface Statement {
  run(values: readonly SqlValue[]): { readonly changes: number };
  get(values: readonly SqlValue[]): SqlRow | undefined;
  all(values: readonly SqlValue[]): SqlRow[];
}

/** The seam to an engine: the only thing that the store knows of its driver. All calls block. */
export interface Database {
  readonly driver: DriverName;
  exec(sql: string): void;
  /** Prepares once for each text and keeps it. */
  sql(text: string): Statement;
  close(): void;
}

export type DriverName = "node:sqlite" | "libsql";

interface RawStatement {
  run(...values: unknown[]): { changes: number | bigint };
  get(...values: unknown[]): unknown;
  all(...values: unknown[]): unknown[];
  raw?(on: boolean): unknown;
  setReturnArrays?(on: boolean): void;
}

interface RawDatabase {
  exec(sql: string): void;
  prepare(sql: string): RawStatement;
  close(): void;
}

const require = createRequire(import.meta.url);

/** Opens `path` with the engine that Node brings (22.13 and newer), else with `libsql`, unless one is named. */
export function openDriver(
  path: string,
  name: DriverName = hasNodeSqlite() ? "node:sqlite" : "libsql",
): Database {
  const raw = name === "libsql" ? openLibsql(path) : openNodeSqlite(path);
  const prepared = new Map<string, Statement>();
  return {
    driver: name,
    exec: (sql) => raw.exec(sql),
    sql(text) {
      let statement = prepared.get(text);
      if (statement === undefined) {
        statement = name === "libsql" ? ofLibsql(raw.prepare(text)) : ofNodeSqlite(raw.prepare(text));
        prepared.set(text, statement);
      }
      return statement;
    },
    close() {
      prepared.clear();
      raw.close();
    },
  };
}

export function requireDriverName(name: string | undefined): DriverName | undefined {
  if (name === undefined || name === "") return undefined;
  if (name === "node:sqlite" || name === "libsql") return name;
  throw new GatewayError("INVALID_OPTIONS", `driver is "${name}"; give "node:sqlite" or "libsql"`, {
    details: { field: "driver" },
  });
}

function hasNodeSqlite(): boolean {
  const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
  return major > 22 || (major === 22 && minor >= 13);
}

function openNodeSqlite(path: string): RawDatabase {
  const { DatabaseSync } = require("node:sqlite") as { DatabaseSync: new (path: string) => RawDatabase };
  return new DatabaseSync(path);
}

function openLibsql(path: string): RawDatabase {
  return new (requireLibsql())(path);
}

/** Whoever runs a newer Node needs it not, so it is theirs to install. */
function requireLibsql(): new (path: string) => RawDatabase {
  try {
    return require("libsql") as new (
      path: string,
    ) => RawDatabase;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "MODULE_NOT_FOUND") throw error;
    const fix = "run `npm install libsql`, or use Node 22.13 or newer";
    throw new GatewayError("INVALID_OPTIONS", `the driver libsql is not installed; ${fix}`, {
      cause: error,
      details: { field: "driver" },
    });
  }
}

function ofNodeSqlite(raw: RawStatement): Statement {
  // Before `setReturnArrays` (22.16) rows are objects; no statement of ours names a column twice.
  raw.setReturnArrays?.(true);
  const toRow = (row: unknown): SqlRow => (Array.isArray(row) ? row : Object.values(row as object)) as SqlRow;
  return {
    run: (values) => ({ changes: Number(raw.run(...values).changes) }),
    get: (values) => {
      const row = raw.get(...values);
      return row === undefined ? undefined : toRow(row);
    },
    all: (values) => raw.all(...values).map(toRow),
  };
}

// `libsql` takes a lone object, which `null` is too, for named values; an array it always takes for positions.
function ofLibsql(raw: RawStatement): Statement {
  try {
    raw.raw?.(true);
  } catch {
    // A statement that gives no rows has no raw mode.
  }
  return {
    run: (values) => ({ changes: Number(raw.run(values).changes) }),
    get: (values) => raw.get(values) as SqlRow | undefined,
    all: (values) => raw.all(values) as SqlRow[],
  };
}
