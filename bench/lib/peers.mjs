// What we compare with lives in projects of their own, so that nothing of ours depends on it. Each is installed at the
// first run, exactly as its lockfile says.
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";

/** The project in `folder`: `load(name)` loads a package, `install()` brings what is missing or has another version. */
export function peersIn(folder) {
  const path = fileURLToPath(folder);
  const load = createRequire(new URL("package.json", folder));
  const install = () => {
    const { packages } = JSON.parse(readFileSync(new URL("package-lock.json", folder), "utf8"));
    const isThere = Object.entries(packages[""].dependencies).every(([name, version]) => {
      const file = new URL(`node_modules/${name}/package.json`, folder);
      return existsSync(file) && JSON.parse(readFileSync(file, "utf8")).version === version;
    });
    if (isThere) return;
    console.log(`installing ${path}`);
    const { status } = spawnSync("npm", ["ci", "--no-audit", "--no-fund"], { cwd: path, stdio: "inherit" });
    if (status !== 0) throw new Error(`npm ci in ${path} failed; see above`);
  };
  return { load, install };
}
