import type { Closable, JsonValue } from "@modelgate/core";
import { connectionOptions } from "./connection-options.ts";
import { type PostgresStoreOptions, resolveOptions } from "./options.ts";
import { destroy, OwnClient } from "./own-client.ts";
import { toGatewayError } from "./postgres-error.ts";

/** A row as JSON, by the names of its columns. */
export type ForeignRow = Readonly<Record<string, JsonValue>>;

/** A database that belongs to another system. It is read, and the server itself refuses every write. */
export interface ForeignDatabase extends Closable {
  /** Whether there is such a table. */
  has(table: string): Promise<boolean>;
  /** Rows in the order of a unique column, a page at a time; whichever columns this version of the table has. */
  rows(table: string, key: string): AsyncIterable<ForeignRow>;
}

const PAGE = 500;
const NAME = /^[a-z_][a-z0-9_]*$/;

/** Connects to a database of another system. Rejects as a store does. */
export async function readForeignDatabase(
  options: Pick<PostgresStoreOptions, "url" | "tls" | "connectTimeoutMs" | "statementTimeoutMs">,
): Promise<ForeignDatabase> {
  // Settings of a session are for our own statements; here they would only make long reads end early.
  const client = new OwnClient(connectionOptions(resolveOptions({ ...options, pooler: true }), false));
  client.on("error", () => {});
  const run = async (text: string, values: unknown[] = []): Promise<ForeignRow[]> => {
    try {
      return (await client.query(text, values)).rows as ForeignRow[];
    } catch (error) {
      throw toGatewayError(error);
    }
  };
  try {
    await client.connect();
    await run("SET default_transaction_read_only = on");
  } catch (error) {
    destroy(client);
    throw toGatewayError(error);
  }
  return {
    async has(table) {
      const [row] = await run("SELECT to_regclass($1) IS NOT NULL AS there", [nameOf(table)]);
      return row?.["there"] === true;
    },
    async *rows(table, key) {
      const [from, by] = [nameOf(table), nameOf(key)];
      let after: JsonValue | undefined;
      for (;;) {
        const where = after === undefined ? "" : `WHERE ${by} > $1`;
        const text = `SELECT to_jsonb(one) AS one, ${by} AS place FROM ${from} AS one ${where} ORDER BY ${by} LIMIT ${PAGE}`;
        const page = await run(text, after === undefined ? [] : [after]);
        for (const { one } of page) yield one as ForeignRow;
        if (page.length < PAGE) return;
        after = page.at(-1)?.["place"];
      }
    },
    async close() {
      await client.end().catch(() => {});
    },
  };
}

function nameOf(text: string): string {
  if (NAME.test(text)) return `"${text}"`;
  throw new TypeError(`${text} is no name of a table or a column`);
}
