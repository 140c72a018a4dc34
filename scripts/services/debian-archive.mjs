// Servers that another release of Debian has than the one that this machine runs: their packages are unpacked into a
// folder under ~/.cache and never installed, so that nothing of the machine's own changes.

import { execFile } from "node:child_process";
import { createHash, randomUUID } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { findProgram } from "./programs.mjs";

const run = promisify(execFile);
const archive = "http://deb.debian.org/debian";
const keys = "/usr/share/keyrings/debian-archive-keyring.gpg";
const tailBytes = 2000;

/** Where `packages` of `suite` are kept once they have been unpacked. */
function folderOfPackages({ name, suite, packages }) {
  const cache = process.env.XDG_CACHE_HOME || join(homedir(), ".cache");
  const key = createHash("sha256")
    .update([suite, ...packages].join("\n"))
    .digest("hex");
  return join(cache, "modelgate", `${name}-${key.slice(0, 12)}`);
}

/**
 * Resolves to a folder that holds the files of `packages`, of these alone: what they depend on has to be named or to be
 * there. `finish(folder)` may change them before anybody sees them.
 */
export async function keepPackages({ name, suite, packages, finish = () => {}, say = () => {} }) {
  const folder = folderOfPackages({ name, suite, packages });
  if (existsSync(folder)) return folder;
  const from = performance.now();
  const own = `${folder}.${randomUUID()}`;
  try {
    const debs = await download({ folder: join(own, "apt"), suite, packages });
    const files = join(own, "files");
    mkdirSync(files, { mode: 0o755 });
    for (const deb of debs) await run("dpkg-deb", ["-x", deb, files]);
    await finish(files, folder);
    renameSync(files, folder);
  } catch (error) {
    if (!existsSync(folder)) {
      const output = `${error.stderr ?? ""}`.slice(-tailBytes).trim();
      throw new Error(`could not be had from Debian's ${suite}: ${output || error.message}`);
    }
  } finally {
    rmSync(own, { recursive: true, force: true });
  }
  say(`${name} was unpacked in ${((performance.now() - from) / 1000).toFixed(1)} s`);
  return folder;
}

/** With lists and settings of its own, so that this needs no root and the machine's apt-get never sees `suite`. */
async function download({ folder, suite, packages }) {
  const apt = findProgram("apt-get");
  if (apt === undefined || !existsSync(keys)) {
    throw new Error(
      "there is no apt-get with Debian's keys here; start it yourself and name it by its variable",
    );
  }
  const sources = join(folder, "sources.list");
  for (const each of ["lists/partial", "cache/archives/partial", "debs"]) {
    mkdirSync(join(folder, each), { recursive: true });
  }
  writeFileSync(sources, `deb [signed-by=${keys}] ${archive} ${suite} main\n`);
  writeFileSync(join(folder, "status"), "");
  const settings = {
    "Dir::Etc::sourcelist": sources,
    "Dir::Etc::sourceparts": "/dev/null",
    "Dir::Etc::preferences": "/dev/null",
    "Dir::Etc::preferencesparts": "/dev/null",
    "Dir::State": folder,
    "Dir::State::status": join(folder, "status"),
    "Dir::Cache": join(folder, "cache"),
    // As root it would change to a user that may not write here.
    "APT::Sandbox::User": "root",
  };
  const lines = Object.entries(settings).flatMap(([key, value]) => ["-o", `${key}=${value}`]);
  const options = { cwd: join(folder, "debs"), maxBuffer: 64 * 1024 * 1024 };
  await run(apt, ["-qq", ...lines, "update"], options);
  await run(apt, ["-qq", ...lines, "download", ...packages], options);
  return readdirSync(options.cwd).map((file) => join(options.cwd, file));
}
