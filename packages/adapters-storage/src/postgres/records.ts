import { randomUUID } from "node:crypto";
import type { JsonValue, OperationOptions, Page, RecordStore, StoredRecord } from "@modelgate/core";
import { recordText, requireKey } from "../rows/record-text.ts";
import { isStorable } from "../rows/storable.ts";
import type { SqlRow } from "../rows/task-row.ts";
import { Calls, type PartOptions } from "./calls.ts";
import { type PostgresPool, type Statement, statement } from "./pool.ts";

const PAGE = 100;

/** Above every character that a key may hold. */
const LAST_CHARACTER = "\u{10FFFF}";

/** Records in the same database. */
export class PostgresRecords implements RecordStore {
  readonly #pool: PostgresPool;
  readonly #calls: Calls;
  readonly #sql: Record<"get" | "insert" | "update" | "delete" | "list", Statement>;

  constructor(pool: PostgresPool, options: PartOptions) {
    this.#pool = pool;
    this.#calls = new Calls("record store", options);
    const table = `${pool.options.schema}.records`;
    // A version is made by the caller: a write that is sent again finds its own, and is told that it was done.
    this.#sql = {
      get: statement(`SELECT key, value, version FROM ${table} WHERE key = $1`),
      insert: statement(`
INSERT INTO ${table} AS kept (key, value, version) VALUES ($1, $2, $3)
ON CONFLICT (key) DO UPDATE SET version = excluded.version WHERE kept.version = excluded.version RETURNING 1`),
      update: statement(
        `UPDATE ${table} SET value = $2, version = $3 WHERE key = $1 AND (version = $4 OR version = $3) RETURNING 1`,
      ),
      delete: statement(`DELETE FROM ${table} WHERE key = $1 AND version = $2 RETURNING 1`),
      list: statement(
        `SELECT key, value, version FROM ${table} WHERE key >= $1 AND key > $2 AND key < $3 ORDER BY key LIMIT ${PAGE + 1}`,
      ),
    };
  }

  async get(key: string, options?: OperationOptions): Promise<StoredRecord | undefined> {
    requireKey(key);
    const [row] = await this.#query(this.#sql.get, [key], options);
    return row === undefined ? undefined : toRecord(row);
  }

  async put(
    key: string,
    value: JsonValue,
    expected: string | null,
    options?: OperationOptions,
  ): Promise<StoredRecord | undefined> {
    const text = recordText(value);
    requireKey(key);
    const version = randomUUID();
    const sql = expected === null ? this.#sql.insert : this.#sql.update;
    const values = expected === null ? [key, text, version] : [key, text, version, storable(expected)];
    const rows = await this.#query(sql, values, options);
    return rows.length === 0 ? undefined : toRecord([key, text, version]);
  }

  async delete(key: string, expected: string, options?: OperationOptions): Promise<boolean> {
    requireKey(key);
    return (await this.#query(this.#sql.delete, [key, storable(expected)], options)).length > 0;
  }

  async list(prefix: string, cursor?: string, options?: OperationOptions): Promise<Page<StoredRecord>> {
    requireKey(prefix);
    requireKey(cursor ?? "");
    const rows = await this.#query(this.#sql.list, [prefix, cursor ?? "", prefix + LAST_CHARACTER], options);
    const items = rows.slice(0, PAGE).map(toRecord);
    return { items, nextCursor: rows.length > PAGE ? items.at(-1)?.key : undefined };
  }

  close(): Promise<void> {
    return this.#calls.close();
  }

  #query(
    sql: Statement,
    values: readonly unknown[],
    options: OperationOptions | undefined,
  ): Promise<SqlRow[]> {
    return this.#calls.run(() => this.#pool.query(sql, values), options);
  }
}

function toRecord([key, value, version]: SqlRow): StoredRecord {
  return { key: key as string, value: JSON.parse(value as string) as JsonValue, version: version as string };
}

/** No record has the empty version, just as none has one that no column holds. */
function storable(version: string): string {
  return isStorable(version) ? version : "";
}
