import { access, readdir } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Ended, type Fixture, openFixture } from "../command/fixture.ts";
import { Load, missingOf } from "./load.ts";

describe("modelgate backup", { timeout: 60_000 }, () => {
  let fixture: Fixture;
  let target: string;

  beforeAll(async () => {
    fixture = await openFixture();
    target = join(fixture.folder, "copies", "of-today");
  });
  afterAll(() => fixture.close());

  const backup = (...args: string[]): Promise<Ended> => fixture.run(["backup", ...args]);

  it("copies what was accepted before it began, and a gateway on the copy brings all of it to its end", async () => {
    const { url, running } = await fixture.serve();
    const load = new Load(url);
    await load.until(20);
    const first = await backup(target, "--json");
    expect(first.code, first.stderr).toBe(0);
    const { copied } = JSON.parse(first.stdout);
    expect(copied).toBeGreaterThan(0);

    // Again into the same directory: what was there is kept, and everything since is added.
    await load.until(load.accepted.length + 20);
    const before = load.accepted;
    const second = await backup(target, "--json");
    expect(second.code, second.stderr).toBe(0);
    expect(JSON.parse(second.stdout)).toMatchObject({ target, kept: expect.any(Number), removed: 0 });
    expect(JSON.parse(second.stdout).kept).toBeGreaterThanOrEqual(copied);
    const during = load.accepted.slice(before.length);
    await load.stop();
    running.child.kill("SIGKILL");
    await running.ended;

    const { url: other } = await fixture.serve("--data-dir", target);
    expect(await missingOf(other, before)).toEqual([]);
    // What came while it was copied is whole, or not in it.
    const missing = await missingOf(other, during);
    expect(missing.length).toBeLessThan(during.length);
  });

  it("lets go of objects that are not there any more", async () => {
    const objects = join(target, "objects");
    const count = async (): Promise<number> =>
      (await readdir(objects, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile())
        .length;
    const source = join(fixture.folder, "emptied");
    const { running } = await fixture.serve("--data-dir", source);
    running.child.kill("SIGKILL");
    await running.ended;
    expect(await count()).toBeGreaterThan(0);
    const { code, stdout } = await backup(target, "--data-dir", source, "--json");
    expect([code, JSON.parse(stdout).removed]).toEqual([0, expect.any(Number)]);
    expect(JSON.parse(stdout).removed).toBeGreaterThan(0);
    expect(await count()).toBe(0);
  });

  it.each([
    [
      ["copy", "--data-dir", "nothing"],
      1,
      /nothing holds no data of a gateway; name its directory with --data-dir\./,
    ],
    [["emptied/copy", "--data-dir", "emptied"], 2, /must lie outside of the data directory/],
    [[".", "--data-dir", "emptied"], 2, /must lie outside of the data directory/],
    [
      ["copy", "--store", "postgres", "--postgres-url", "postgres://db.test/x"],
      2,
      /Use pg_dump for PostgreSQL/,
    ],
    [[], 2, /modelgate backup/],
  ])("refuses %j", async (args, code, message) => {
    const ended = await backup(...args);
    expect([ended.code, ended.stderr]).toEqual([code, expect.stringMatching(message)]);
    await expect(access(join(fixture.folder, "copy"))).rejects.toThrow();
  });

  it("leaves an earlier backup as it is when there is no database of a gateway to copy", async () => {
    const { writeFile, mkdir, readFile } = await import("node:fs/promises");
    const source = join(fixture.folder, "of-something-else");
    await mkdir(source);
    await writeFile(join(source, "modelgate.db"), "no database");
    const before = await readFile(join(target, "modelgate.db"));
    const { code, stderr } = await backup(target, "--data-dir", source);
    expect([code, stderr]).toEqual([1, expect.stringMatching(/no SQLite database.*STORE_UNAVAILABLE/)]);
    expect((await readFile(join(target, "modelgate.db"))).equals(before)).toBe(true);
    expect((await readdir(target)).filter((name) => name.includes("unfinished"))).toEqual([]);
  });
});
