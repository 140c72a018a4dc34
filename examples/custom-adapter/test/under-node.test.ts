import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { objectStoreKit } from "@modelgate/core/testing";
import { build } from "esbuild";
import { expect, it, onTestFinished } from "vitest";

const source = fileURLToPath(new URL("./kit-under-node.ts", import.meta.url));

it("the kit passes under node:test too", { timeout: 60_000 }, async () => {
  const folder = await mkdtemp(join(tmpdir(), "journal-objects-kit-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const bundle = join(folder, "kit.mjs");
  // Node 20 reads no TypeScript.
  await build({
    entryPoints: [source],
    outfile: bundle,
    bundle: true,
    format: "esm",
    platform: "node",
    target: "node20",
    conditions: ["@modelgate/source"],
    logLevel: "warning",
  });
  // Syncs cost nothing in memory, and what they cost is not the question here.
  const place = existsSync("/dev/shm") ? { TMPDIR: "/dev/shm" } : {};
  const env = { ...process.env, ...place, NODE_OPTIONS: "" };
  const args = ["--test", "--test-reporter=tap", bundle];
  const { stdout } = await promisify(execFile)(process.execPath, args, { env, maxBuffer: 10_000_000 });
  expect(stdout.match(/^ {4}ok /gm)).toHaveLength(objectStoreKit.tests.length);
});
