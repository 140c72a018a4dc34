import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, it } from "vitest";
import { PLANTED_FAULTS } from "../../sim/planted/index.ts";

const SCRIPT = fileURLToPath(new URL("../../../../scripts/sim.mjs", import.meta.url));

it("finds every planted fault, by name", { timeout: 240_000 }, async () => {
  // As anybody runs it, since most of the faults are put in while the core is bundled.
  const { stdout } = await promisify(execFile)(process.execPath, [
    SCRIPT,
    "--planted",
    "--seeds",
    "200",
    "--jobs",
    "2",
  ]).catch((error: { readonly stdout?: string }) => ({ stdout: error.stdout ?? String(error) }));
  const found = stdout.match(/^found +[a-z0-9-]+/gm)?.map((line) => line.replace(/^found +/, ""));
  expect(found, stdout).toEqual(PLANTED_FAULTS.map(({ name }) => name));
});
