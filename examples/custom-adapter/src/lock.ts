import { open, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { GatewayError } from "@modelgate/core";

/** Directories that this process has open; a lock with its number may also be from a process before it. */
const openHere = new Set<string>();

/** Keeps other processes out of a directory until the function resolved is called. Rejects `STORE_UNAVAILABLE`. */
export async function lock(directory: string): Promise<() => Promise<void>> {
  const path = join(directory, "lock");
  if (openHere.has(path)) throw inUse();
  openHere.add(path);
  try {
    const owner = Number(await readFile(path, "utf8").catch(() => "0"));
    if (owner !== process.pid && isAlive(owner)) throw inUse();
    // The process that wrote it has ended without taking it away.
    await rm(path, { force: true });
    const file = await open(path, "wx", 0o600);
    await file.writeFile(String(process.pid));
    await file.close();
  } catch (error) {
    openHere.delete(path);
    throw error;
  }
  return async () => {
    await rm(path, { force: true });
    openHere.delete(path);
  };
}

function isAlive(pid: number): boolean {
  if (!(pid > 0)) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

function inUse(): GatewayError {
  return new GatewayError("STORE_UNAVAILABLE", "another journal object store has this directory open");
}
