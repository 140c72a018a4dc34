// The differential, error and process tests once more with the engine that Node brings, which Node 20 has not: the
// same SQL must do the same behind both drivers. Takes minutes and fetches Node 24 from the npm registry, so it is no
// part of the default suite.
//
// node packages/adapters-storage/test/drivers.mjs [vitest filter…]
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../../../", import.meta.url));
const filters = process.argv.length > 2 ? process.argv.slice(2) : ["sqlite"];
let failed = 0;
for (const driver of ["node:sqlite", "libsql"]) {
  const { status } = spawnSync(
    "npx",
    [
      "-y",
      "-p",
      "node@24",
      "--",
      "node",
      "node_modules/vitest/vitest.mjs",
      "run",
      "--project",
      "adapters-storage",
      ...filters,
    ],
    { cwd: root, stdio: "inherit", env: { ...process.env, MODELGATE_SQLITE_DRIVER: driver } },
  );
  console.log(`${driver} on Node 24: ${status === 0 ? "passed" : "failed"}`);
  if (status !== 0) failed += 1;
}
process.exitCode = failed;
