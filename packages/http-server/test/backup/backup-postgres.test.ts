import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { requireService } from "../../../adapters-storage/test/support/services.ts";
import { type Fixture, openFixture } from "../command/fixture.ts";
import { openPostgres, runSql, type TestStore } from "../command/test-stores.ts";
import { Load, missingOf } from "./load.ts";

const url = requireService("PG_URL") ?? "";
const run = promisify(execFile);

/** A program of PostgreSQL: of the version that the tests install, or whichever there is. */
function program(name: string): string {
  const installed = `/usr/lib/postgresql/15/bin/${name}`;
  return existsSync(installed) ? installed : name;
}

describe.skipIf(url === "")(
  "a backup of PostgreSQL by pg_dump, and then of the objects",
  { timeout: 60_000 },
  () => {
    const database = `restored_${randomBytes(6).toString("hex")}`;
    let fixture: Fixture;
    let store: TestStore;

    beforeAll(async () => {
      [fixture, store] = await Promise.all([openFixture(), openPostgres()]);
      await runSql(`CREATE DATABASE ${database}`);
    });
    afterAll(async () => {
      await fixture.close();
      await runSql(`DROP DATABASE IF EXISTS ${database} WITH (FORCE)`);
      await store.close();
    });

    it("holds everything that was accepted before it began, and all of it ends", async () => {
      const config = join(fixture.folder, "gateway.json");
      await writeFile(config, JSON.stringify(store.settings));
      const { url: gateway } = await fixture.serve("--config", config);
      const load = new Load(gateway);
      await load.until(40);
      const before = load.accepted;
      const dump = join(fixture.folder, "modelgate.dump");
      const { schema } = store.settings["postgres"] as { readonly schema: string };
      await run(program("pg_dump"), ["--format=custom", `--schema=${schema}`, `--file=${dump}`, url]);
      const during = load.accepted.slice(before.length);
      // As anybody copies files: what comes and goes meanwhile is named by no row of the dump.
      await run("cp", ["-a", join(fixture.folder, ".modelgate"), join(fixture.folder, "copied")]).catch(
        () => undefined,
      );
      await load.stop();

      const target = new URL(url);
      target.pathname = `/${database}`;
      await run(program("pg_restore"), ["--no-owner", `--dbname=${target.href}`, dump]);
      const restored = join(fixture.folder, "restored.json");
      const postgres = { ...(store.settings["postgres"] as object), url: target.href };
      await writeFile(restored, JSON.stringify({ ...store.settings, postgres, dataDir: "copied" }));
      const { url: other } = await fixture.serve("--config", restored);
      expect(await missingOf(other, before)).toEqual([]);
      // What came while it was dumped is whole, or not in it.
      await missingOf(other, during);
    });
  },
);
