// One folder for everything that one launcher process starts, and a guard that empties it when the launcher is gone.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statfsSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { isAlive, pidNamespace, statusOf } from "./proc.mjs";

const guardScript = fileURLToPath(new URL("guard.sh", import.meta.url));
const namePattern = /^modelgate-services-(\d+)-(\d+)-(\d+)-\w{6}$/;
const tmpfs = 0x01021994;

/** By parent folder, since what must survive a loss of power does not belong into memory. */
const homes = new Map();
/** What is in use; with the last of it goes everything. */
const used = new Set();

/**
 * Calls `work(path, release)` with a folder for one service, and gives back what it gives. The service calls `release`
 * when it is closed; when `work` fails, that is done for it. `directory` is used, and kept, instead of a new folder;
 * `isDurable` keeps a new one off file systems in memory.
 */
export async function inFolder({ name, isDurable = false, directory }, work) {
  const base = isDurable && statfsSync(tmpdir()).type === tmpfs ? "/var/tmp" : tmpdir();
  const home = homes.get(base) ?? open(base);
  const path = directory === undefined ? mkdtempSync(join(home.folder, `${name}-`)) : resolve(directory);
  if (directory !== undefined) {
    mkdirSync(path, { recursive: true });
    // What works in there is ended like everything else.
    home.guard.stdin.write(`${path}\n`);
  }
  used.add(path);
  const release = async () => {
    if (!used.delete(path)) return;
    if (directory === undefined) rmSync(path, { recursive: true, force: true });
    if (used.size === 0) await closeHomes();
  };
  try {
    return await work(path, release);
  } catch (error) {
    await release();
    throw error;
  }
}

async function closeHomes() {
  const closed = [...homes.values()];
  homes.clear();
  for (const { guard } of closed) {
    guard.ref();
    guard.stdin.end();
  }
  await Promise.all(closed.map(({ ended }) => ended));
}

function open(base) {
  removeLeftOvers(base);
  // The name itself says whose it is, so that at no moment there is a folder without an owner.
  const { startedAt } = statusOf(process.pid);
  const prefix = `modelgate-services-${pidNamespace()}-${process.pid}-${startedAt}-`;
  const folder = mkdtempSync(join(base, prefix));
  // Servers under another user go through it.
  chmodSync(folder, 0o711);
  const guard = spawn("/bin/sh", [guardScript, folder], {
    detached: true,
    stdio: ["pipe", "ignore", "ignore"],
    cwd: "/",
  });
  const ended = once(guard, "exit");
  guard.stdin.on("error", () => {});
  guard.unref();
  guard.stdin.unref();
  const home = { folder, guard, ended };
  homes.set(base, home);
  return home;
}

/** Guards can be killed, too, and a machine can lose its power. */
function removeLeftOvers(base) {
  for (const name of readdirSync(base)) {
    const [, namespace, pid, startedAt] = namePattern.exec(name) ?? [];
    if (namespace !== pidNamespace() || isAlive(Number(pid), startedAt)) continue;
    const guard = spawn("/bin/sh", [guardScript, join(base, name)], { stdio: "ignore", cwd: "/" });
    guard.unref();
  }
}
