// The queues that we compare with live in a project of their own, so that nothing of ours depends on them. It is
// installed at the first run, exactly as its lockfile says.
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";

const folder = new URL("peers/", import.meta.url);

export const fromPeers = createRequire(new URL("package.json", folder));

/** Installs what is missing or has another version than the lockfile names. */
export function installPeers() {
  const { packages } = JSON.parse(readFileSync(new URL("package-lock.json", folder), "utf8"));
  const isThere = Object.entries(packages[""].dependencies).every(([name, version]) => {
    const file = new URL(`node_modules/${name}/package.json`, folder);
    return existsSync(file) && JSON.parse(readFileSync(file, "utf8")).version === version;
  });
  if (isThere) return;
  console.log("installing bench/postgres/peers");
  const cwd = fileURLToPath(folder);
  const { status } = spawnSync("npm", ["ci", "--no-audit", "--no-fund"], { cwd, stdio: "inherit" });
  if (status !== 0) throw new Error("npm ci in bench/postgres/peers failed; see above");
}
