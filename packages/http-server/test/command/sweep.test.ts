import { mkdir, readdir, utimes } from "node:fs/promises";
import { join } from "node:path";
import { filesystemObjectStore } from "@modelgate/adapters-storage/filesystem";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { call } from "../support/http-client.ts";
import { type Ended, type Fixture, openFixture } from "./fixture.ts";

const TWO_DAYS_S = 2 * 86_400;

describe("modelgate sweep", () => {
  let fixture: Fixture;
  let url: string;
  let kept: string;

  beforeAll(async () => {
    fixture = await openFixture();
    ({ url } = await fixture.serve());
    const headers = { "content-type": "text/plain" };
    const submitted = await call(url, "/models/nlp/tasks/process", {
      method: "POST",
      headers,
      body: "z".repeat(100_000),
    });
    kept = submitted.json.uuid;
    const objects = filesystemObjectStore({ directory: join(fixture.folder, ".modelgate/objects") });
    async function* bytes() {
      yield Buffer.from("lost");
    }
    for (const key of ["payloads/lost-task/p", "results/lost-task/1", "payloads/new-task/p"])
      await objects.put(key, bytes());
    await objects.close();
    await makeOld(join(fixture.folder, ".modelgate/objects"), (path) => !path.includes("new-task"));
  });
  afterAll(() => fixture.close());

  /** As if what is there had been written two days ago. */
  async function makeOld(folder: string, isOld: (path: string) => boolean): Promise<void> {
    for (const entry of await readdir(folder, { withFileTypes: true, recursive: true })) {
      const path = join(entry.parentPath ?? entry.path, entry.name);
      const atS = Date.now() / 1000 - TWO_DAYS_S;
      if (entry.isFile() && isOld(path)) await utimes(path, atS, atS);
    }
  }

  const sweep = (...args: string[]): Promise<Ended> => fixture.run(["sweep", ...args]);

  it("names what it would delete, and deletes nothing", async () => {
    const { code, stdout, stderr } = await sweep("--dry-run");
    expect(code).toBe(0);
    expect(stdout.trimEnd().split("\n").sort()).toEqual(["payloads/lost-task/p", "results/lost-task/1"]);
    expect(stderr).toMatch(
      /^2 of 4 objects \(8 bytes\) are named by no task, 1 are too young to be judged; nothing was deleted\.\n$/,
    );
    const json = JSON.parse((await sweep("--dry-run", "--json")).stdout);
    expect(json).toMatchObject({ examined: 4, unreferenced: 2, unreferencedBytes: 8, deleted: 0 });
    expect(json.keys).toHaveLength(2);
  });

  it("deletes what no task names, beside a gateway that runs", async () => {
    const { code, stdout, stderr } = await sweep();
    expect({ code, stdout }).toEqual({ code: 0, stdout: "" });
    expect(stderr).toContain("2 were deleted.");
    expect(JSON.parse((await sweep("--json")).stdout)).toMatchObject({
      examined: 2,
      unreferenced: 0,
      deleted: 0,
    });
    await expect
      .poll(async () => (await call(url, `/tasks/${kept}`)).json.status, { timeout: 10_000 })
      .toBe("succeeded");
    const again = await call(url, `/tasks/${kept}/retry`, { method: "POST" });
    expect(again.status).toBe(200);
  });

  it("makes no data directory where there is none", async () => {
    await mkdir(join(fixture.folder, "empty"));
    const { code, stderr } = await sweep("--data-dir", "empty");
    expect({ code, stderr }).toEqual({
      code: 1,
      stderr: "empty holds no data of a gateway; name its directory with --data-dir.\n",
    });
    expect(await readdir(join(fixture.folder, "empty"))).toEqual([]);
    expect((await sweep("--data-dir", "none")).code).toBe(1);
  });

  it("refuses an age at which a task may still be under way", async () => {
    const { code, stderr } = await sweep("--min-age-ms", "1000");
    expect(code).toBe(2);
    expect(stderr).toContain('--min-age-ms is "1000"; give a whole number from 3600000 on.');
  });
});
