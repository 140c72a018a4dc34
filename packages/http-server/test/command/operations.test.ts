import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { call } from "../support/http-client.ts";
import { openRoles, type RoleProcesses } from "./role-processes.ts";
import { hasPostgres, openPostgres, runSql, SHARED_STORES, type TestStore } from "./test-stores.ts";

describe.each(SHARED_STORES)("what looks after $name", ({ isThere, make }) => {
  let roles: RoleProcesses;
  let url: string;

  beforeAll(async () => {
    if (!isThere) return;
    roles = await openRoles(await make(), {
      retention: { payloadMs: 0, resultMs: 0, rowMs: 0 },
      waitMs: 1_500,
    });
    ({ url } = await roles.start("gateway"));
  }, 60_000);
  afterAll(() => roles?.close());

  const submit = async (body: string): Promise<string> => {
    const headers = { "content-type": "text/plain" };
    return (await call(url, "/models/nlp/tasks/process", { method: "POST", headers, body })).json.uuid;
  };
  const status = async (id: string) => (await call(url, `/tasks/${id}`)).json;

  it.runIf(isThere)(
    "a reaper does it once, or from time to time; nobody else does where no other role is",
    async () => {
      const large = await submit("x".repeat(100_000));
      await new Promise((resolve) => setTimeout(resolve, 3_000));
      // A gateway looks after nothing: the task waits although its time is over.
      expect((await status(large)).status).toBe("pending");
      const { code, stdout } = await roles.run(["reaper", "--once", "--json"]);
      const report = JSON.parse(stdout);
      expect({ code, ended: report.ended, young: report.objects.young <= 1 }).toEqual({
        code: 0,
        ended: 1,
        young: true,
      });
      // What ended is forgotten by the same look, or the next one: with it goes its object.
      const again = await roles.run(["reaper", "--once"]);
      expect(again.stdout).toMatch(
        /^0 tasks were ended, 0 handed back, \d objects forgotten with theirs; 0 of 0 objects/,
      );
      expect((await call(url, `/tasks/${large}`)).status).toBe(404);

      const small = await submit("small");
      const { running } = await roles.start("reaper", "--port", "0");
      await expect
        .poll(async () => (await call(url, `/tasks/${small}`)).status, { timeout: 15_000 })
        .toBe(404);
      const health = /listening on (\S+)/.exec(running.stdout())?.[1] ?? "";
      expect((await call(health, "/metrics")).text).toContain('modelgate_role{role="reaper"} 1');
      running.child.kill("SIGTERM");
      expect(await running.ended).toBe(0);
    },
    60_000,
  );

  it.runIf(isThere)("sweep looks through it", async () => {
    await submit("z".repeat(100_000));
    const { code, stdout } = await roles.run(["sweep", "--dry-run", "--json"]);
    expect({ code, report: JSON.parse(stdout) }).toMatchObject({
      code: 0,
      report: { examined: 1, unreferenced: 0 },
    });
  });
});

describe.runIf(hasPostgres)("modelgate migrate", () => {
  let roles: RoleProcesses;
  let store: TestStore;
  let schema: string;

  beforeAll(async () => {
    store = await openPostgres();
    ({ schema } = store.settings["postgres"] as { schema: string });
    roles = await openRoles(store);
  });
  afterAll(() => roles.close());

  it("writes the SQL without a database, and the SQL does what the command does", async () => {
    const { code, stdout } = await roles.run([
      "migrate",
      "--sql",
      "--postgres-url",
      "postgres://nowhere:1/none",
    ]);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^BEGIN;\n/);
    await runSql(stdout);
    const done = await roles.run(["migrate"]);
    expect(done).toMatchObject({ code: 0, stdout: expect.stringMatching(/has version \d+ already\.\n$/) });
    const { running } = await roles.start("scheduler", "--postgres-migrate=false");
    running.child.kill("SIGTERM");
    expect(await running.ended).toBe(0);
  });

  it("brings the schema up to date, once for all who call it", async () => {
    await runSql(`DROP SCHEMA ${schema} CASCADE`);
    const runs = await Promise.all([1, 2, 3].map(() => roles.run(["migrate", "--json"])));
    expect(runs.map(({ code }) => code)).toEqual([0, 0, 0]);
    const froms = runs.map(({ stdout }) => JSON.parse(stdout).from);
    expect(froms.filter((from) => from === 0)).toHaveLength(1);
  });

  it("finds a schema that a newer release wrote, and touches nothing", async () => {
    await runSql(`UPDATE ${schema}.modelgate_schema SET version = 999`);
    const { code, stderr } = await roles.run(["migrate"]);
    expect({ code, stderr }).toEqual({ code: 1, stderr: expect.stringContaining("version 999") });
  });

  it.each([
    [["--from", "1"], 2, /--from goes with --sql/],
    [["--sql", "--from", "999"], 2, /from must be a version from 0 to \d+/],
    [["--store", "sqlite", "--sql"], 2, /The store is sqlite/],
    [["--store", "sqlite"], 0, /The store is sqlite/],
  ])("called with %j ends with %i", async (args, code, message) => {
    const ran = await roles.run(["migrate", ...args]);
    expect({ code: ran.code, stderr: ran.stderr }).toEqual({ code, stderr: expect.stringMatching(message) });
  });

  it("of a sweep that finds no tables deletes nothing", async () => {
    await runSql(`DROP SCHEMA ${schema} CASCADE`);
    await mkdir(join(roles.folder, "data/objects"), { recursive: true });
    const { code, stderr } = await roles.run(["sweep"]);
    expect({ code, stderr }).toEqual({ code: 1, stderr: expect.stringContaining("STORE_OUTDATED") });
  });
});
