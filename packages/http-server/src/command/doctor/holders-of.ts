import { readdir, readFile, readlink, realpath } from "node:fs/promises";

export interface Holder {
  readonly pid: number;
  /** The name of its program. */
  readonly program: string;
}

/** Processes that have a file open, as far as this one may know; `undefined` where the system does not tell. */
export async function holdersOf(file: string): Promise<readonly Holder[] | undefined> {
  const path = await realpath(file).catch(() => file);
  const names = await readdir("/proc").catch(() => undefined);
  if (names === undefined || !names.includes("self")) return undefined;
  const pids = names.filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid);
  const holders = await Promise.all(pids.map((pid) => holderAt(pid, path)));
  return holders.filter((holder) => holder !== undefined);
}

async function holderAt(pid: string, path: string): Promise<Holder | undefined> {
  // Processes end while they are looked at, and those of other users tell nothing.
  const handles = await readdir(`/proc/${pid}/fd`).catch(() => []);
  for (const handle of handles) {
    if ((await readlink(`/proc/${pid}/fd/${handle}`).catch(() => "")) !== path) continue;
    const program = await readFile(`/proc/${pid}/comm`, "utf8").catch(() => "");
    return { pid: Number(pid), program: program.trim() };
  }
  return undefined;
}
