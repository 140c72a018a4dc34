import { randomBytes } from "node:crypto";
import { join } from "node:path";
import pg from "pg";

/** A deployment as it is written down. */
interface BookEntry {
  readonly model: string;
  readonly generation: string;
  readonly phase: string;
  readonly driver?: string;
}

/** Where the processes of a cluster keep what they share. */
export interface ClusterStore {
  readonly dataDir: string;
  /** As a configuration file has them; `url` leads to PostgreSQL for one process. */
  settings(url: string | undefined): object;
  /** All deployments; only of PostgreSQL. */
  book(): Promise<readonly BookEntry[]>;
  /** By which id a process of this name is known to the others; of several, all. */
  idsOf(name: string): Promise<readonly string[]>;
  close(): Promise<void>;
}

export async function openClusterStore(url: string | undefined, folder: string): Promise<ClusterStore> {
  const dataDir = join(folder, "data");
  if (url === undefined) {
    const none = async () => [];
    return { dataDir, settings: () => ({ dataDir }), book: none, idsOf: none, close: async () => {} };
  }
  const schema = `cluster_${randomBytes(6).toString("hex")}`;
  const client = new pg.Client(url);
  await client.connect();
  const read = async <T>(where: string): Promise<T[]> => {
    const sql = `SELECT key, value FROM ${schema}.records WHERE ${where}`;
    const { rows } = await client.query<{ key: string; value: string }>(sql);
    return rows.map(({ key, value }) => ({ key, ...JSON.parse(value) }) as T);
  };
  return {
    dataDir,
    settings: (postgresUrl) => ({
      ...{ dataDir, store: "postgres", postgres: { url: postgresUrl, schema, maxConnections: 4 } },
    }),
    async book() {
      const [book] = await read<{ entries: readonly BookEntry[] }>("key = 'deployments/book'");
      return book?.entries ?? [];
    },
    async idsOf(name) {
      const gateways = await read<{ key: string; name: string }>("key LIKE 'gateways/%'");
      return gateways.flatMap((each) => (each.name === name ? [each.key.slice("gateways/".length)] : []));
    },
    async close() {
      await client.query(`DROP SCHEMA IF EXISTS ${schema} CASCADE`);
      await client.end();
    },
  };
}
