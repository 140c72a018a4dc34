// What npm would install for the users of a package, found in what is installed here.

import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

export const root = fileURLToPath(new URL("../../", import.meta.url));

/** The folders of all packages that the one in `folder` needs, found as Node finds them. */
export function packagesOf(folder) {
  const found = new Set();
  const pending = [folder];
  for (const each of pending) {
    const manifest = JSON.parse(readFileSync(join(each, "package.json"), "utf8"));
    const { dependencies, optionalDependencies = {}, peerDependencies, peerDependenciesMeta } = manifest;
    // npm installs what a package expects of its user, too, unless it can do without.
    for (const name of Object.keys({ ...peerDependencies, ...dependencies, ...optionalDependencies })) {
      if (peerDependenciesMeta?.[name]?.optional) continue;
      const own = installed(name, each);
      // What is optional is installed where it fits the machine.
      if (own === undefined && name in optionalDependencies) continue;
      if (own === undefined) throw new Error(`${name} is not installed; run \`npm ci\``);
      if (found.has(own)) continue;
      found.add(own);
      pending.push(own);
    }
  }
  return [...found];
}

function installed(name, from) {
  for (let folder = from; ; folder = dirname(folder)) {
    const path = join(folder, "node_modules", name);
    if (existsSync(join(path, "package.json"))) return path;
    if (join(folder, "/") === root || folder === dirname(folder)) return undefined;
  }
}
