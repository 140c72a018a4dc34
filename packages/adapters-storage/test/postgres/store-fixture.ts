import { randomBytes } from "node:crypto";
import pg from "pg";
import type { PostgresStoreOptions } from "../../src/postgres/options.ts";
import { openPostgresStore, type PostgresStore } from "../../src/postgres/store.ts";

/** Stores in a schema of their own, which goes with them. */
export interface SchemaFixture {
  readonly schema: string;
  /** A further set of connections, closed with the others. */
  open(options?: Partial<PostgresStoreOptions>): PostgresStore;
  closeAll(): Promise<void>;
  /** Closes all and drops the schema. */
  end(): Promise<void>;
}

export function newSchema(url: string, random: () => number = Math.random): SchemaFixture {
  const schema = `t_${randomBytes(8).toString("hex")}`;
  const stores: PostgresStore[] = [];
  const closeAll = async (): Promise<void> => {
    await Promise.all(stores.splice(0).map((store) => store.close()));
  };
  return {
    schema,
    open: (options = {}) => {
      const store = openPostgresStore({ url, schema, ...options }, random);
      stores.push(store);
      return store;
    },
    closeAll,
    end: async () => {
      await closeAll();
      await ask(url, `DROP SCHEMA IF EXISTS ${schema} CASCADE`);
    },
  };
}

/** Runs one statement over a connection of its own. */
async function ask(url: string, text: string, values: unknown[] = []): Promise<pg.QueryResult> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return await client.query(text, values);
  } finally {
    await client.end();
  }
}
