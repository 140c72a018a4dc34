import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, it } from "vitest";

const at = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

// Only the built program: the kit is run from the sources by the other tests.
it("happens as the pages tell it", { timeout: 90_000 }, async () => {
  const place = existsSync("/dev/shm") ? { TMPDIR: "/dev/shm" } : {};
  const options = { env: { ...process.env, ...place } };
  const { stdout } = await promisify(execFile)(process.execPath, [at("../dist/main.js")], options);
  expect(stdout.trimEnd().split("\n")).toHaveLength(3);
  for (const page of ["../README.md", "../../../docs/how-to/write-an-adapter.md"]) {
    expect(await readFile(at(page), "utf8")).toContain(stdout.trimEnd());
  }
});
