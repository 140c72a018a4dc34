import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, it } from "vitest";
import { ledgerKit } from "../../src/testing/ledger-kit/ledger-kit.ts";
import { queueKit } from "../../src/testing/queue-kit/queue-kit.ts";
import { taskStoreKit } from "../../src/testing/task-store-kit/task-store-kit.ts";
import { BROKEN_LEDGERS } from "./broken/ledger/broken-ledgers.ts";

const folder = mkdtempSync(join(tmpdir(), "modelgate-node-test-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const source = fileURLToPath(new URL("./ledger-and-others-under-node.ts", import.meta.url));
const bundle = join(folder, "kits.mjs");
const ALL = ledgerKit.tests.length + taskStoreKit.tests.length + queueKit.tests.length;

/** What `node --test` says of a run of all three kits. */
function runUnderNode(fault = ""): {
  readonly status: number | null;
  readonly passed: number;
  readonly failed: string[];
} {
  const env = { ...process.env, PLANTED_FAULT: fault, NODE_OPTIONS: "" };
  const run = spawnSync(process.execPath, ["--test", "--test-reporter=tap", bundle], {
    env,
    encoding: "utf8",
  });
  const lines = run.stdout.split("\n").map((line) => /^ {4}(ok|not ok) \d+ - (.*)$/.exec(line));
  const failed = lines.flatMap((line) => (line?.[1] === "not ok" ? [line[2] ?? ""] : []));
  return { status: run.status, passed: lines.filter((line) => line?.[1] === "ok").length, failed };
}

describe("the kits", () => {
  // Node 20 reads no TypeScript.
  const esbuild = createRequire(import.meta.url).resolve("esbuild/bin/esbuild");
  const flags = ["--bundle", "--platform=node", "--format=esm", "--target=node20", `--outfile=${bundle}`];
  const built = spawnSync(esbuild, [source, ...flags], { encoding: "utf8" });

  it("run under node:test as under vitest", { timeout: 60_000 }, () => {
    expect(built.status, built.stderr).toBe(0);
    expect(runUnderNode()).toEqual({ status: 0, passed: ALL, failed: [] });
  });

  it("fail under node:test as under vitest", { timeout: 60_000 }, () => {
    const [broken] = BROKEN_LEDGERS;
    const { status, passed, failed } = runUnderNode(broken?.fault);
    expect({ status, passed, failed }).toEqual({ status: 1, passed: ALL - 1, failed: [broken?.caughtBy] });
  });
});
