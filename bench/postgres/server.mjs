// The PostgreSQL that a bench runs on: one of its own that calls fsync, or the one that `--server` names. Everything
// happens in databases made for it and dropped after.
import { randomBytes } from "node:crypto";
import { treeMs } from "../lib/cpu.mjs";
import { pg } from "./load-store.mjs";

/** What must hold for figures of a queue to mean anything, and what readers of them want to know. */
const SETTINGS = ["fsync", "synchronous_commit", "full_page_writes", "shared_buffers", "max_wal_size"];

export async function openServer(given) {
  const own = given === undefined ? await startOwn() : undefined;
  const url = given ?? own.url;
  const admin = new pg.Client({ connectionString: url });
  await admin.connect();
  const ask = async (text) => (await admin.query(text)).rows;
  const settings = {};
  for (const name of SETTINGS) settings[name] = (await ask(`SHOW ${name}`))[0][name];
  const [{ version }] = await ask("SELECT version()");
  console.log(`${version.split(" ").slice(0, 2).join(" ")}, ${describe(settings)}, Node ${process.version}`);
  for (const name of ["fsync", "synchronous_commit", "full_page_writes"]) {
    if (settings[name] === "off") throw new Error(`${name} is off, so that nothing here would be durable`);
  }
  const databases = new Set();
  const drop = async (name) => {
    databases.delete(name);
    await admin.query(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`);
  };

  return {
    /** A new database; `settle` is called once it is filled, so that no side pays for what another left behind. */
    async database() {
      const name = `modelgate_bench_${randomBytes(6).toString("hex")}`;
      databases.add(name);
      await admin.query(`CREATE DATABASE ${name}`);
      const address = new URL(url);
      address.pathname = name;
      // To a child its address goes by the environment, which others cannot read.
      const env = { BENCH_DATABASE_URL: address.href };
      return {
        url: address.href,
        env,
        settle: (about) => settle(address.href, about),
        drop: () => drop(name),
      };
    },
    /** Milliseconds of processor time that the server has used; 0 when it runs elsewhere. */
    cpuMs: () => (own === undefined ? 0 : own.pids.reduce((sum, pid) => sum + treeMs(pid), 0)),
    async close() {
      for (const name of databases) await drop(name);
      await admin.end();
      await own?.close();
    },
  };
}

async function startOwn() {
  // Loaded when needed: with --server, no server of our own has to be installed.
  const { startPostgres } = await import("../../scripts/services/postgres.mjs");
  return await startPostgres({ version: 15, durable: true });
}

const describe = (settings) =>
  Object.entries(settings)
    .map(([name, value]) => `${name} ${value}`)
    .join(", ");

/** Statistics as autovacuum would have made them within a minute, and no dirty pages of whoever was before. */
async function settle(url, { hasRows = true } = {}) {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  if (hasRows) await client.query("VACUUM ANALYZE");
  await client.query("CHECKPOINT");
  await client.end();
}
