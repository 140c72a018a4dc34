import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, it } from "vitest";

const script = fileURLToPath(new URL("power-loss/run.mjs", import.meta.url));

// The short form; `node packages/adapters-storage/test/power-loss/run.mjs --cuts 200` is the long one.
it("a loss of power at any moment takes nothing that was accepted", { timeout: 120_000 }, async () => {
  const { stdout, stderr } = await promisify(execFile)(process.execPath, [
    script,
    "--cuts",
    "30",
    "--tasks",
    "600",
  ]);
  if (stderr.includes("SKIPPED")) console.warn(stderr);
  else expect(stdout).toMatch(/30 cuts, \d{3,} acknowledgements looked for, 0 cuts lost something/);
});
