import { execFile } from "node:child_process";
import { promisify } from "node:util";
import pg from "pg";
import { describe, expect, it, onTestFinished } from "vitest";
import { migratePostgres, postgresMigrationSql, postgresStore } from "../../src/postgres/index.ts";
import { resolveOptions } from "../../src/postgres/options.ts";
import { SCHEMA_VERSION } from "../../src/postgres/schema.ts";
import { exchangeOf, newTask, want } from "../sqlite/store-fixture.ts";
import { requireService } from "../support/services.ts";
import { startChild } from "./children.ts";
import {
  ask,
  errorOf,
  errorsOf,
  newDatabase,
  newSchema,
  newUser,
  onEachServer,
  openStore,
} from "./servers.ts";

const SOON = { timeout: 15_000, interval: 100 };

/** All that the catalogue says of what is in a schema, without the schema's name. */
const CATALOGUE = `
SELECT 'column' AS kind, relname || '.' || attname AS name, concat_ws(' ', relkind, format_type(atttypid, atttypmod),
  attnotnull, attidentity, attstorage, attcollation::regcollation, reloptions, attnum, pg_get_expr(adbin, adrelid)) AS is
FROM pg_class JOIN pg_attribute ON attrelid = pg_class.oid LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
WHERE relnamespace = $1::text::regnamespace AND attnum > 0
UNION ALL SELECT 'index', indexname, indexdef FROM pg_indexes WHERE schemaname = $1
UNION ALL SELECT 'constraint', conname, pg_get_constraintdef(oid) FROM pg_constraint WHERE connamespace = $1::text::regnamespace
UNION ALL SELECT 'view', viewname, definition FROM pg_views WHERE schemaname = $1
UNION ALL SELECT 'function', proname, pg_get_functiondef(oid) FROM pg_proc WHERE pronamespace = $1::text::regnamespace
UNION ALL SELECT 'right', relname, relacl::text FROM pg_class WHERE relnamespace = $1::text::regnamespace
ORDER BY 1, 2, 3`;

async function catalogueOf(url: string, schema: string): Promise<string[]> {
  const rows = await ask(url, CATALOGUE, [schema]);
  const [row] = await ask(url, `SELECT array_agg(version)::text AS versions FROM ${schema}.modelgate_schema`);
  const lines = rows.map(({ kind, name, is }) => `${kind} ${name}: ${is}`.replaceAll(schema, "SCHEMA"));
  return [...lines, `versions: ${row?.["versions"]}`];
}

/** As a database administrator would. */
async function runByPsql(url: string, sql: string): Promise<void> {
  const done = promisify(execFile)("psql", [url, "-qX", "-v", "ON_ERROR_STOP=1", "-f", "-"]);
  done.child.stdin?.end(sql);
  await done;
}

async function schemasOf(url: string): Promise<unknown[]> {
  const rows = await ask(
    url,
    "SELECT nspname FROM pg_namespace WHERE nspname !~ '^(pg_|information_schema|public)'",
  );
  return rows.map(({ nspname }) => nspname);
}

onEachServer("migrations", (url) => {
  it("are made once when many processes open an empty database at once", async () => {
    const database = await newDatabase(url);
    const numbers = Array.from({ length: 10 }, (_, index) => `${index}`);
    const children = await Promise.all(
      numbers.map((number) => startChild(database, "modelgate", "open", number)),
    );
    // All of them find nothing, and go on at the same moment.
    const gate = new pg.Client({ connectionString: database });
    await gate.connect();
    onTestFinished(() => gate.end().catch(() => {}));
    await gate.query("BEGIN; CREATE SCHEMA modelgate");
    for (const child of children) child.process.stdin?.end();
    const waiting = `SELECT pid FROM pg_stat_activity
      WHERE datname = current_database() AND wait_event_type = 'Lock'`;
    await expect.poll(async () => (await ask(database, waiting)).length, SOON).toBe(numbers.length);
    await gate.query("ROLLBACK");
    expect(await Promise.all(children.map(({ exited }) => exited))).toEqual(numbers.map(() => 0));
    expect(children.flatMap(({ lines }) => lines)).toEqual(numbers.map(() => "opened"));
    const rows = await ask(database, "SELECT key FROM modelgate.records ORDER BY key");
    expect(rows.map(({ key }) => key)).toEqual(numbers.map((number) => `by/${number}`));
    const versions = await ask(database, "SELECT version FROM modelgate.modelgate_schema");
    expect(versions).toEqual([{ version: SCHEMA_VERSION }]);
  });

  it("say what they did, once", async () => {
    const database = await newDatabase(url);
    const done = await Promise.all([1, 2, 3].map(() => migratePostgres({ url: database })));
    expect(done.map(({ from }) => from).sort()).toEqual([0, SCHEMA_VERSION, SCHEMA_VERSION]);
    expect(done.every(({ to }) => to === SCHEMA_VERSION)).toBe(true);
  });

  it("leave a schema alone that a newer version wrote, and so does every call", async () => {
    const schema = newSchema(url);
    await migratePostgres({ url, schema });
    await ask(url, `UPDATE ${schema}.modelgate_schema SET version = 99`);
    const before = await catalogueOf(url, schema);
    const { ledger, records, wakeups } = openStore({ url, schema });
    const strict = openStore({ url, schema, migrate: false });
    const errors = await errorsOf(
      migratePostgres({ url, schema }),
      ledger.submit([newTask("t1")]),
      records.put("k", 1, null),
      wakeups.publish("work", ["m"]),
      strict.ledger.stats(),
    );
    for (const error of errors) {
      expect([error.code, error.retryable, error.details["version"]]).toEqual(["STORE_TOO_NEW", false, 99]);
      expect(error.message).toMatch(/version 99.*use a newer one/);
    }
    expect(await catalogueOf(url, schema)).toEqual(before);
    // Once the reason is gone, the same store works.
    await ask(url, `UPDATE ${schema}.modelgate_schema SET version = ${SCHEMA_VERSION}`);
    expect((await ledger.submit([newTask("t1")]))[0]?.outcome).toBe("accepted");
  });

  it("are left to others with `migrate: false`, which changes nothing and says what to run", async () => {
    const database = await newDatabase(url);
    const { ledger, records } = openStore({ url: database, migrate: false });
    const calls = [ledger.stats(), records.get("k"), ledger.submit([newTask("t1")])];
    for (const error of await errorsOf(...calls)) {
      expect(error.code).toBe("STORE_OUTDATED");
      expect(error.message).toContain("run `modelgate migrate`");
    }
    expect(await schemasOf(database)).toEqual([]);
    await migratePostgres({ url: database });
    expect((await ledger.submit([newTask("t1")]))[0]?.outcome).toBe("accepted");
    await ask(database, "UPDATE modelgate.modelgate_schema SET version = 0");
    const outdated = await errorOf(openStore({ url: database, migrate: false }).ledger.stats());
    expect([outdated.code, outdated.details]).toEqual([
      "STORE_OUTDATED",
      { field: "migrate", schema: "modelgate", version: 0 },
    ]);
  });

  it("that fail in the middle leave nothing", async () => {
    const database = await newDatabase(url);
    // A table of somebody else's is in the way of a late step.
    await ask(database, "CREATE SCHEMA modelgate; CREATE TABLE modelgate.records (mine integer)");
    const error = await errorOf(migratePostgres({ url: database }));
    expect(error.code).toBe("ADAPTER_FAILED");
    expect(error.details).toMatchObject({ sqlState: "42P07" });
    const rows = await ask(
      database,
      "SELECT relname FROM pg_class WHERE relnamespace = 'modelgate'::regnamespace",
    );
    expect(rows).toEqual([{ relname: "records" }]);
    await ask(database, "DROP TABLE modelgate.records");
    expect(await migratePostgres({ url: database })).toEqual({ from: 0, to: SCHEMA_VERSION });
  });

  it("need no more than the schema's owner may, by their SQL too, and the schema comes out the same", async () => {
    const database = await newDatabase(url);
    const owner = await newUser(database);
    const [byCall, bySql, anew] = [newSchema(database), newSchema(database), newSchema(database)];
    for (const schema of [byCall, bySql])
      await ask(database, `CREATE SCHEMA ${schema} AUTHORIZATION ${owner.name}`);
    await migratePostgres({ url: owner.url, schema: byCall });
    await runByPsql(owner.url, postgresMigrationSql({ schema: bySql }));
    const expected = await catalogueOf(database, byCall);
    expect(expected.length).toBeGreaterThan(100);
    expect(await catalogueOf(database, bySql)).toEqual(expected);
    // Where there is none, it is made, which is the right of whoever may create schemas.
    await runByPsql(database, postgresMigrationSql({ schema: anew }));
    expect(await catalogueOf(database, anew)).toEqual(expected);
    await runByPsql(database, postgresMigrationSql({ schema: anew, from: SCHEMA_VERSION }));
    expect(await catalogueOf(database, anew)).toEqual(expected);
    const again = runByPsql(database, postgresMigrationSql({ schema: anew }));
    await expect(again).rejects.toThrow(/already exists/);
    expect(await catalogueOf(database, anew)).toEqual(expected);

    const refused = await errorOf(migratePostgres({ url: owner.url, schema: "elsewhere" }));
    expect([refused.code, refused.details["sqlState"]]).toEqual(["STORE_READ_ONLY", "42501"]);
  });

  it.each([{ migrate: false }, {}])(
    "done, the least rights are enough for everything: %j",
    async (options) => {
      const schema = newSchema(url);
      await migratePostgres({ url, schema });
      const { name, url: own } = await newUser(url);
      await ask(
        url,
        `GRANT USAGE ON SCHEMA ${schema} TO ${name};
      GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA ${schema} TO ${name}`,
      );
      const { ledger, records, wakeups } = openStore({ url: own, schema, ...options });
      const idempotency = { key: "k", digest: "d", keepMs: 1_000 };
      await ledger.submit([
        newTask("t1"),
        newTask("t2", { idempotency }),
        newTask("t3", { background: true }),
      ]);
      const wanted = want("s", { background: true });
      const { grants } = await ledger.exchange(exchangeOf(1, { want: [wanted] }));
      expect(grants).toHaveLength(3);
      const settle = grants.map(({ task: { id }, attempt }) => {
        const result = { sizeBytes: 1, inline: new Uint8Array([1]) };
        return { kind: "succeeded" as const, id, attempt, result, releaseHold: true };
      });
      const { settled } = await ledger.exchange(exchangeOf(2, { settle }));
      expect(settled.map(({ outcome }) => outcome)).toEqual(["accepted", "accepted", "accepted"]);
      await ledger.submit([newTask("t4")]);
      await ledger.amend([{ kind: "cancel", id: "t4" }]);
      const retention = { payloadMs: 0, resultMs: 0, rowMs: 0 };
      expect((await ledger.sweep({ limit: 100, unserved: ["x"], retention })).more).toBe(false);
      expect((await ledger.list()).items.map(({ id }) => id)).toEqual(["t2"]);
      expect((await ledger.stats()).lanes).toEqual([]);
      const record = await records.put("k", 1, null);
      expect(await records.delete("k", record?.version ?? "")).toBe(true);
      wakeups.subscribe("work", () => {});
      await wakeups.publish("work", ["m"]);
    },
  );

  it("keep the schemas of one database apart", async () => {
    const database = await newDatabase(url);
    const stores = ["one", "other"].map((schema) => openStore({ url: database, schema }));
    await Promise.all(
      stores.map(({ ledger }, index) => ledger.submit([newTask("t", { model: `m${index}` })])),
    );
    await Promise.all(stores.map(({ records }, index) => records.put("k", index, null)));
    for (const [index, { ledger, records }] of stores.entries()) {
      expect((await ledger.list()).items.map(({ model }) => model)).toEqual([`m${index}`]);
      expect((await records.get("k"))?.value).toBe(index);
    }
    // The same runner of both: their numbers are counted apart.
    const wanted = want("s", { models: ["m0", "m1"] });
    for (const { ledger } of stores) {
      const { grants } = await ledger.exchange(exchangeOf(1, { want: [wanted] }));
      expect(grants).toHaveLength(1);
    }
    await ask(database, "DROP SCHEMA other CASCADE");
    expect((await stores[0]?.ledger.stats())?.scheduled).toBe(1);
    expect((await errorOf(stores[1]?.ledger.stats() ?? Promise.resolve())).code).toBe("STORE_OUTDATED");
  });
});

describe("a schema's name", () => {
  const wrong = [
    "",
    "No",
    "1a",
    "_a",
    "a-b",
    'a"b',
    "a;b",
    "a b",
    "é",
    "pg_mine",
    "a".repeat(49),
    "a.b",
    "user",
  ];

  it.each([...wrong, "select", "information_schema"])(
    "%j is refused before anybody is asked",
    async (schema) => {
      const expected = { code: "INVALID_OPTIONS", details: { field: "schema" } };
      expect(() => postgresStore({ schema })).toThrow(expect.objectContaining(expected));
      expect(() => postgresMigrationSql({ schema })).toThrow(expect.objectContaining(expected));
      await expect(migratePostgres({ schema })).rejects.toMatchObject(expected);
    },
  );
});

const url = requireService("PG18_URL");

describe.skipIf(url === undefined)("every name that is taken", () => {
  const rows = async (where: string): Promise<string[]> =>
    (await ask(url ?? "", `SELECT word FROM pg_get_keywords() WHERE ${where}`)).map(
      ({ word }) => word as string,
    );

  it("is none of the server's reserved words", async () => {
    const reserved = await rows("catcode IN ('R', 'T')");
    expect(reserved.length).toBeGreaterThan(90);
    for (const schema of reserved) expect(() => resolveOptions({ schema }), schema).toThrow(/meaning in SQL/);
  });

  it("needs no quotation marks, also where it is another word of SQL or as long as may be", async () => {
    const database = await newDatabase(url ?? "");
    const words = ["values", "row", "coalesce", "setof", "none", "interval", "between", "exists", "trim"];
    for (const schema of [...words, "a".repeat(48), "z_9"]) {
      const { ledger, wakeups, close } = openStore({ url: database, schema });
      await ledger.submit([newTask("t1")]);
      expect((await ledger.exchange(exchangeOf(1, { want: [want("s")] }))).grants, schema).toHaveLength(1);
      await ledger.sweep({ limit: 10, unserved: [], retention: { payloadMs: 0, resultMs: 0, rowMs: 0 } });
      expect((await ledger.list()).items).toHaveLength(1);
      wakeups.subscribe("work", () => {});
      await wakeups.publish("work", ["m"]);
      await close();
    }
  });
});
