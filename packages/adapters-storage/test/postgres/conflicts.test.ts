import pg from "pg";
import { expect, it, onTestFinished } from "vitest";
import { exchangeOf, newTask, want } from "../sqlite/store-fixture.ts";
import { ask, newDatabase, onEachServer, openStore } from "./servers.ts";

/** A session of somebody else's, in a transaction. */
async function begin(url: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  onTestFinished(() => client.end());
  await client.query("BEGIN");
  return client;
}

/** Resolves when so many sessions of the database wait for a lock. */
async function waiting(url: string, count: number): Promise<void> {
  const text =
    "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
  await expect.poll(async () => (await ask(url, text)).length).toBe(count);
}

async function deadlocksOf(url: string): Promise<number> {
  const text = "SELECT deadlocks::integer FROM pg_stat_database WHERE datname = current_database()";
  return (await ask(url, text))[0]?.["deadlocks"] as number;
}

const lock = (id: string): string => `SELECT FROM modelgate.live WHERE id = '${id}' FOR UPDATE`;

const RESULT = { sizeBytes: 1, inline: new Uint8Array([1]) };

onEachServer("a transaction that the server undoes", (url) => {
  /** What the ledger does while somebody else holds `b` and then wants `a`; the ledger locks them the other way round. */
  const CALLS = {
    amend: async (ledger) => {
      const amended = await ledger.amend(["a", "b"].map((id) => ({ kind: "cancel", id })));
      expect(amended.map(({ outcome }) => outcome)).toEqual(["requested", "requested"]);
    },
    settle: async (ledger) => {
      const settle = ["a", "b"].map(
        (id) => ({ kind: "succeeded", id, attempt: 1, result: RESULT, releaseHold: true }) as const,
      );
      const { settled } = await ledger.exchange(exchangeOf(2, { settle }));
      expect(settled).toEqual([{ outcome: "accepted" }, { outcome: "accepted" }]);
    },
    renew: async (ledger) => {
      const renew = ["a", "b"].map((id) => ({ id, attempt: 1, sent: false }));
      const { renewed } = await ledger.exchange(exchangeOf(2, { renew }));
      expect(renewed).toEqual([{ outcome: "accepted" }, { outcome: "accepted" }]);
    },
  } satisfies Record<string, (ledger: ReturnType<typeof openStore>["ledger"]) => Promise<void>>;

  it.each(Object.keys(CALLS) as (keyof typeof CALLS)[])(
    "because of a deadlock is run again: %s",
    async (name) => {
      const database = await newDatabase(url);
      // The ledger waits first, so that it is the one that finds the deadlock and is undone.
      await ask(url, `ALTER DATABASE ${new URL(database).pathname.slice(1)} SET deadlock_timeout = '400ms'`);
      const { ledger } = openStore({ url: database });
      await ledger.submit([newTask("a"), newTask("b")]);
      await ledger.exchange(exchangeOf(1, { want: [want("s")] }));
      const other = await begin(database);
      await other.query("SET LOCAL deadlock_timeout = '60s'");
      await other.query(lock("b"));
      const call = CALLS[name](ledger);
      await waiting(database, 1);
      await other.query(lock("a"));
      await other.query("COMMIT");
      await call;
      await expect.poll(() => deadlocksOf(database)).toBe(1);
    },
  );

  it("because somebody else was quicker is run again, where transactions are stricter", async () => {
    const database = await newDatabase(url);
    const name = new URL(database).pathname.slice(1);
    await ask(url, `ALTER DATABASE ${name} SET default_transaction_isolation = 'repeatable read'`);
    const { ledger } = openStore({ url: database });
    await ledger.submit([newTask("a"), newTask("b")]);
    const { grants } = await ledger.exchange(exchangeOf(1, { want: [want("s")] }));
    expect(grants).toHaveLength(2);
    const other = await begin(database);
    await other.query("UPDATE modelgate.live SET error = NULL WHERE id = 'a'");
    const call = ledger.amend([{ kind: "cancel", id: "a" }]);
    await waiting(database, 1);
    await other.query("COMMIT");
    expect((await call)[0]?.outcome).toBe("requested");
  });

  it("again and again is told as such in the end, and leaves nothing", async () => {
    const database = await newDatabase(url);
    const { ledger } = openStore({ url: database });
    await ledger.submit([newTask("a")]);
    await ask(
      database,
      `CREATE SEQUENCE tries; CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        PERFORM nextval('tries'); RAISE EXCEPTION 'not now' USING ERRCODE = '40001'; END $$;
      CREATE TRIGGER refuse BEFORE INSERT ON modelgate.live EXECUTE FUNCTION refuse()`,
    );
    const error = { code: "STORE_UNAVAILABLE", retryable: true, details: { sqlState: "40001" } };
    await expect(ledger.submit([newTask("b")])).rejects.toMatchObject(error);
    expect(await ask(database, "SELECT last_value::integer AS tries FROM tries")).toEqual([{ tries: 4 }]);
    await ask(database, "DROP TRIGGER refuse ON modelgate.live");
    expect((await ledger.stats()).lanes).toMatchObject([{ model: "m", waiting: 1, waitingBytes: 5 }]);
    expect((await ledger.submit([newTask("b")]))[0]?.outcome).toBe("accepted");
  });

  it("none is, when many processes do the same to the same tasks in any order", async () => {
    const database = await newDatabase(url);
    const stores = Array.from({ length: 4 }, () => openStore({ url: database }));
    const ids = Array.from({ length: 40 }, (_, index) => `t${index}`);
    const shuffled = (): string[] => [...ids].sort(() => Math.random() - 0.5);
    const idempotency = (id: string) => ({ key: id, digest: "d", keepMs: 60_000 });
    await Promise.all(
      stores.flatMap(({ ledger }) => [
        ledger.submit(shuffled().map((id) => newTask(id, { model: `m${id}`, idempotency: idempotency(id) }))),
        ledger.submit(shuffled().map((id) => newTask(`n${id}`, { model: `m${id}` }))),
      ]),
    );
    const models = ids.map((id) => `m${id}`);
    await Promise.all(
      stores.flatMap(({ ledger }, index) => [
        ledger.exchange(
          exchangeOf(1, { runner: `r${index}`, want: [want("s", { models, limit: 50, max: 50 })] }),
        ),
        ledger.amend(shuffled().map((id) => ({ kind: "reprioritise", id, priority: 6, boostMs: 1 }))),
        ledger.amend(shuffled().map((id) => ({ kind: "cancel", id }))),
        ledger.sweep({ limit: 100, unserved: models }),
      ]),
    );
    expect(await deadlocksOf(database)).toBe(0);
    expect((await stores[0]?.ledger.list({ limit: 1_000 }))?.items).toHaveLength(80);
  });
});
