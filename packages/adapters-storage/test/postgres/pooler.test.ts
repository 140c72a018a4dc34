import { describeKit, ledgerKit, recordStoreKit, taskStoreKit } from "@modelgate/core/testing";
import { describe, expect, it } from "vitest";
import { migratePostgres } from "../../src/postgres/index.ts";
import { newTask } from "../sqlite/store-fixture.ts";
import { requireService } from "../support/services.ts";
import { ask, errorOf, openStore, newSchema as schemaName, unique } from "./servers.ts";
import { newSchema, type SchemaFixture } from "./store-fixture.ts";

const pooler = requireService("PGBOUNCER_URL");
const direct = requireService("PG_URL");

describe.skipIf(pooler === undefined || direct === undefined)("behind a transaction pooler", () => {
  const url = pooler ?? "";
  const options = { url, pooler: true };

  const fixtureOf = (schema: SchemaFixture) => ({
    another: async () => schema.open(options),
    reopen: async () => {
      await schema.closeAll();
      return schema.open(options);
    },
    close: () => schema.end(),
  });

  describeKit({ describe, it }, ledgerKit, "PostgreSQL behind PgBouncer", async () => {
    const { another, reopen, close } = fixtureOf(newSchema(direct ?? ""));
    return {
      ledger: (await another()).ledger,
      another: async () => (await another()).ledger,
      reopen: async () => (await reopen()).ledger,
      walkRows: 2_000,
      close,
    };
  });

  // The rest is the ledger's, which has just shown it.
  const shared = new Set(ledgerKit.tests.map(({ name }) => name));
  const ownTests = taskStoreKit.tests.filter(({ name }) => !shared.has(name));
  describeKit(
    { describe, it },
    { ...taskStoreKit, tests: ownTests },
    "PostgreSQL behind PgBouncer",
    async () => {
      const { another, reopen, close } = fixtureOf(newSchema(direct ?? ""));
      return {
        store: (await another()).tasks,
        another: async () => (await another()).tasks,
        reopen: async () => (await reopen()).tasks,
        close,
      };
    },
  );

  describeKit({ describe, it }, recordStoreKit, "PostgreSQL behind PgBouncer", async () => {
    const { another, reopen, close } = fixtureOf(newSchema(direct ?? ""));
    return {
      records: (await another()).records,
      another: async () => (await another()).records,
      reopen: async () => (await reopen()).records,
      close,
    };
  });

  it("hints from others do not arrive, which is no failure, and ours are sent to who listens", async () => {
    const schema = schemaName(direct ?? "");
    const { wakeups } = openStore({ ...options, schema });
    const listening = openStore({ url: direct, schema });
    const heard: string[][] = [[], []];
    wakeups.subscribe("work", (names) => heard[0]?.push(...names));
    listening.wakeups.subscribe("work", (names) => heard[1]?.push(...names));
    await expect
      .poll(async () => {
        await wakeups.publish("work", ["m"]);
        return heard[1]?.includes("m");
      })
      .toBe(true);
    expect(heard[0]).toEqual([]);
  });

  it("a client that was not told of the pooler says which option is missing", async () => {
    const error = await errorOf(openStore({ url, schema: schemaName(direct ?? "") }).ledger.stats());
    expect([error.code, error.details["field"]]).toEqual(["STORE_UNAVAILABLE", "pooler"]);
    expect(error.message).toMatch(/set pooler to true/);
  });

  it("migrates, and leaves no setting of its own in a session that somebody else gets next", async () => {
    const applicationName = unique("pooled");
    const schema = schemaName(direct ?? "");
    await migratePostgres({ ...options, schema });
    const { ledger, close } = openStore({ ...options, schema, applicationName });
    await Promise.all(Array.from({ length: 20 }, (_, index) => ledger.submit([newTask(`t${index}`)])));
    await close();
    const settings = ["enable_seqscan", "jit", "plan_cache_mode", "statement_timeout", "synchronous_commit"];
    const text = `SELECT name, setting = reset_val AS same, (SELECT count(*)::integer FROM pg_prepared_statements) AS kept
      FROM pg_settings WHERE name = ANY ($1)`;
    for (let count = 0; count < 10; count += 1) {
      const rows = await ask(url, text, [settings]);
      expect(rows.filter(({ same, kept }) => same !== true || kept !== 0)).toEqual([]);
      expect(rows).toHaveLength(settings.length);
    }
  });
});
