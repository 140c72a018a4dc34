// A copy of the tree, outside of it: faults are put into the copy, so that a run that is killed in the middle leaves no
// broken source behind, and whoever works in the tree meanwhile sees nothing of it.

import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, realpathSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Neither history nor what tools keep for themselves is needed to run a test. */
const leftOut = new Set([".git", ".turbo", ".modelgate", "coverage", "node_modules"]);

/** `folder`, and `remove()`. Packages of the workspace lead into the copy, all others to those that are installed. */
export function copyTree(root) {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), "modelgate-weaknesses-")));
  const remove = () => rmSync(folder, { recursive: true, force: true });
  try {
    const entries = readdirSync(root).filter((name) => !leftOut.has(name));
    copy([...entries.map((name) => join(root, name)), folder]);
    const installed = join(root, "node_modules");
    const own = join(folder, "node_modules");
    mkdirSync(own);
    for (const name of readdirSync(installed)) {
      // These are links relative to where they lie. What begins with a dot is a cache, or made for the tree itself.
      if (name === "@modelgate") copy([join(installed, name), own]);
      else if (!name.startsWith(".")) symlinkSync(join(installed, name), join(own, name));
    }
  } catch (error) {
    remove();
    throw error;
  }
  return { folder, remove };
}

function copy(args) {
  const { status, stderr } = spawnSync("cp", ["-a", ...args], { encoding: "utf8" });
  if (status !== 0) throw new Error(`the tree could not be copied: ${stderr.trim()}`);
}
