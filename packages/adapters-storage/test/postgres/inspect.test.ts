import { expect, it } from "vitest";
import { inspectPostgres, migratePostgres } from "../../src/postgres/index.ts";
import { requireService } from "../support/services.ts";
import { ask, newDatabase, newSchema, newUser, onEachServer } from "./servers.ts";

onEachServer("an inspection", (url) => {
  it("tells what the server is and what the schema wants", async () => {
    const schema = newSchema(url);
    expect(await inspectPostgres({ url, schema })).toMatchObject({
      ...{ isReached: true, isSupported: true, isPooler: false, isReadOnly: false },
      ...{ schemaVersion: 0, missingRights: [], problems: [], synchronousCommit: "on", tls: "none" },
    });
    const { to } = await migratePostgres({ url, schema });
    const found = await inspectPostgres({ url, schema });
    expect([found.schemaVersion, found.neededSchemaVersion]).toEqual([to, to]);
    expect(Math.abs(found.clockDifferenceMs ?? Number.NaN)).toBeLessThan(1_000);
    expect(found.connectionsInUse).toBeGreaterThan(0);
  });

  it("names each right that is missing", async () => {
    const database = await newDatabase(url);
    const { name, url: own } = await newUser(database);
    const rights = async (): Promise<unknown> => (await inspectPostgres({ url: own })).missingRights;
    const { pathname } = new URL(database);
    expect(await rights()).toEqual([`CREATE on database ${pathname.slice(1)}`]);
    await ask(database, "CREATE SCHEMA modelgate");
    expect(await rights()).toEqual(["USAGE on schema modelgate"]);
    await ask(database, `GRANT USAGE ON SCHEMA modelgate TO ${name}`);
    expect(await rights()).toEqual(["CREATE on schema modelgate"]);
    await migratePostgres({ url: database });
    await ask(database, `GRANT SELECT, INSERT, DELETE, UPDATE ON ALL TABLES IN SCHEMA modelgate TO ${name}`);
    expect(await rights()).toEqual([]);
    await ask(database, `REVOKE UPDATE ON modelgate.live FROM ${name}`);
    expect(await rights()).toEqual(["UPDATE on modelgate.live"]);
    // The role can only be dropped where it has rights no more.
    await ask(database, `DROP OWNED BY ${name}`);
  });

  it("tells of a database that takes no writes", async () => {
    const database = await newDatabase(url);
    await ask(
      database,
      `ALTER DATABASE ${new URL(database).pathname.slice(1)} SET default_transaction_read_only = on`,
    );
    expect(await inspectPostgres({ url: database })).toMatchObject({ isReadOnly: true });
  });

  it("gives what stood in the way, and no secret", async () => {
    const wrong = new URL(url);
    wrong.password = "marker-of-a-secret";
    const lost = new URL(url);
    lost.pathname = "/there-is-none";
    const cases: [Parameters<typeof inspectPostgres>[0], string, string][] = [
      [{ url: lost.href }, "connect", "url"],
      [{ url: "postgres://someone:marker-of-a-secret@127.0.0.1:1/x" }, "connect", "url"],
      [{ url: "mysql://someone:marker-of-a-secret@x" }, "options", "url"],
      [{ url, schema: "No" }, "options", "schema"],
      ...(await passwordCases(url, wrong.href)),
    ];
    for (const [options, step, field] of cases) {
      const found = await inspectPostgres(options);
      expect(found.problems).toMatchObject([{ step, field }]);
      expect(JSON.stringify(found)).not.toContain("marker-of-a-secret");
    }
  });
});

const pooler = requireService("PGBOUNCER_URL");

it.skipIf(pooler === undefined)("an inspection tells a pooler from a server", async () => {
  expect(await inspectPostgres({ url: pooler })).toMatchObject({ isPooler: true, problems: [] });
});

/** A server that trusts whoever comes refuses no password. */
async function passwordCases(
  url: string,
  wrong: string,
): Promise<[Parameters<typeof inspectPostgres>[0], string, string][]> {
  const isTrusting = await ask(wrong, "SELECT 1").then(
    () => true,
    () => false,
  );
  return isTrusting || url === wrong ? [] : [[{ url: wrong }, "connect", "password"]];
}
