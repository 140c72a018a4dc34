// Programs of Python's registry, each with exactly the versions that its list names, in a folder of its own below
// ~/.cache/modelgate, outside of any repository: made once, and found again by what is in it.

import { execFile, spawnSync } from "node:child_process";
import { createHash, randomUUID } from "node:crypto";
import { existsSync, mkdirSync, renameSync, rmSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { findProgram } from "./programs.mjs";

const run = promisify(execFile);
const tailBytes = 4000;

/** Whether there is a Python 3.10 or newer that can make such folders; Debian keeps a part of that in a package apart. */
export function canMakeVenv() {
  const python = findProgram("python3");
  if (python === undefined) return false;
  const asked = "import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 10))";
  return spawnSync(python, ["-c", asked], { stdio: "ignore" }).status === 0;
}

/** Resolves to the `python` of a folder that holds `requirements`, lines of pip with exact versions. */
export async function keepVenv({ name, requirements, say = () => {} }) {
  const python = findProgram("python3");
  if (python === undefined) throw new Error("needs python3, which is not installed");
  const { stdout: version } = await run(python, ["--version"]);
  const key = createHash("sha256")
    .update([python, version, ...requirements].join("\n"))
    .digest("hex");
  const cache = process.env.XDG_CACHE_HOME || join(homedir(), ".cache");
  const folder = join(cache, "modelgate", `${name}-${key.slice(0, 12)}`);
  const found = join(folder, "bin", "python");
  if (existsSync(found)) return found;
  const from = performance.now();
  await make(python, folder, requirements);
  say(`${name} was installed in ${((performance.now() - from) / 1000).toFixed(1)} s`);
  return found;
}

/** Under another name first, so that nobody finds half of it. A folder that was moved runs modules, but no scripts. */
async function make(python, folder, requirements) {
  const own = `${folder}.${randomUUID()}`;
  mkdirSync(dirname(folder), { recursive: true });
  try {
    await run(python, ["-m", "venv", own]);
    const install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", ...requirements];
    await run(join(own, "bin", "python"), install, { maxBuffer: 64 * 1024 * 1024 });
    renameSync(own, folder);
  } catch (error) {
    rmSync(own, { recursive: true, force: true });
    if (existsSync(folder)) return; // Another was quicker.
    const output = `${error.stderr ?? ""}`.slice(-tailBytes).trim();
    throw new Error(`could not be installed from Python's registry: ${output || error.message}`);
  }
}
