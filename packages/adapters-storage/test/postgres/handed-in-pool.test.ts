import pg from "pg";
import { expect, it, onTestFinished } from "vitest";
import { exchangeOf, newTask, want } from "../sqlite/store-fixture.ts";
import { ask, errorOf, newSchema, onEachServer, openStore } from "./servers.ts";

function newPool(config: pg.PoolConfig): pg.Pool {
  const pool = new pg.Pool(config);
  pool.on("error", () => {});
  onTestFinished(() => pool.end());
  return pool;
}

onEachServer("a pool that is handed in", (url) => {
  it("stays open when the store is closed, and serves another one", async () => {
    const client = newPool({ connectionString: url });
    const schema = newSchema(url);
    const { ledger, close } = openStore({ client, schema });
    await ledger.submit([newTask("t1")]);
    await close();
    await close();
    expect((await errorOf(ledger.stats())).code).toBe("CLOSED");
    expect([client.ending, client.ended]).toEqual([false, false]);
    expect((await client.query("SELECT 1 AS one")).rows).toEqual([{ one: 1 }]);
    expect((await openStore({ client, schema }).ledger.list()).items.map(({ id }) => id)).toEqual(["t1"]);
  });

  it("is enough with one connection, for many calls of all kinds at once", async () => {
    const client = newPool({ connectionString: url, max: 1 });
    const { ledger, records, wakeups } = openStore({ client, schema: newSchema(url) });
    wakeups.subscribe("work", () => {});
    const counts = Array.from({ length: 20 }, (_, index) => index);
    const all = await Promise.all(
      counts.map(async (index) => {
        await Promise.all([ledger.submit([newTask(`t${index}`)]), wakeups.publish("work", ["m"])]);
        const wanted = want(`s${index}`, { limit: 1, max: 1 });
        const { grants } = await ledger.exchange(exchangeOf(1, { runner: `r${index}`, want: [wanted] }));
        await Promise.all([
          ledger.stats(),
          ledger.sweep({ limit: 10, unserved: [] }),
          records.put(`${index}`, 1, null),
        ]);
        return grants.length;
      }),
    );
    expect(all.reduce((sum, count) => sum + count)).toBe(20);
    expect((await records.list("")).items).toHaveLength(20);
    expect([client.totalCount, client.waitingCount]).toEqual([1, 0]);
  });

  it("gets its connections back as they were: settings, transactions, locks and all", async () => {
    const client = newPool({ connectionString: url, max: 1 });
    const schema = newSchema(url);
    const { ledger, records } = openStore({ client, schema });
    await client.query("SET statement_timeout = '77s'");
    const session = async (): Promise<unknown> => {
      const text = `SELECT pg_backend_pid(), array_agg(setting ORDER BY name),
          (SELECT count(*) FROM pg_locks WHERE pid = pg_backend_pid() AND locktype = 'advisory')
        FROM pg_settings WHERE name IN ('enable_seqscan', 'enable_hashjoin', 'jit', 'plan_cache_mode',
          'statement_timeout', 'idle_in_transaction_session_timeout', 'synchronous_commit', 'application_name')`;
      return (await client.query(text)).rows;
    };
    const before = await session();
    await ledger.submit([
      newTask("t1"),
      newTask("t2", { idempotency: { key: "k", digest: "d", keepMs: 1_000 } }),
    ]);
    await ledger.exchange(exchangeOf(1, { want: [want("s")] }));
    await ledger.exchange(exchangeOf(2));
    await records.put("k", 1, null);
    await ledger.sweep({ limit: 10, unserved: [] });
    await client.query("SELECT 1");
    expect(await session()).toEqual(before);
  });

  it("whose connections break serves the next call with a new one", async () => {
    const client = newPool({ connectionString: url, max: 2, application_name: "handed_in_broken" });
    const { ledger } = openStore({ client, schema: newSchema(url) });
    await ledger.submit([newTask("t1")]);
    const text =
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'handed_in_broken'";
    await ask(url, text);
    expect((await ledger.submit([newTask("t2")]))[0]?.outcome).toBe("accepted");
    expect((await ledger.list()).items).toHaveLength(2);
    expect(client.totalCount).toBeLessThanOrEqual(2);
  });

  it("that its owner has ended is told as a store that is away", async () => {
    const client = new pg.Pool({ connectionString: url });
    const schema = newSchema(url);
    const { ledger } = openStore({ client, schema });
    await ledger.stats();
    await client.end();
    expect((await errorOf(ledger.stats())).code).toBe("STORE_UNAVAILABLE");
  });
});
