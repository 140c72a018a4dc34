import { access, constants, mkdtemp, open, readdir, rm, stat, statfs } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { sizeText } from "../output/size-text.ts";
import { codeOf, type Finding, fail, ok, warn } from "./finding.ts";

const CHECK = "data directory";
const TRIAL_PREFIX = ".doctor-";
const TRIAL_WRITES = 5;
/** A task costs two syncs; slower ones are felt. */
const SLOW_SYNC_MS = 30;
const LITTLE_ROOM = 1024 ** 3;
const NO_ROOM = 64 * 1024 ** 2;

/** Numbers of statfs(2) for file systems over a network, on which the locks of SQLite are not to be relied on. */
const NETWORK_TYPES: Readonly<Record<number, string>> = {
  26985: "NFS",
  4283649346: "CIFS",
  4266872130: "SMB",
  16914839: "9P",
  198183888: "Lustre",
  12805120: "CephFS",
};

export interface DirectoryReport {
  readonly findings: readonly Finding[];
  /** A directory for trials on the same file system; the caller removes it. Absent when nothing can be written. */
  readonly trial?: string | undefined;
}

/** Looks at the data directory without making it. */
export async function checkDirectory(dataDir: string): Promise<DirectoryReport> {
  const found = await stat(dataDir).catch((error: unknown) => codeOf(error));
  if (found === "ENOENT") return { findings: [await checkParent(dataDir)] };
  if (typeof found === "string") {
    return {
      findings: [
        fail(
          CHECK,
          `${dataDir} cannot be looked at (${found})`,
          "mend its rights, or give another --data-dir",
        ),
      ],
    };
  }
  if (!found.isDirectory()) {
    return { findings: [fail(CHECK, `${dataDir} is no directory`, "give another --data-dir")] };
  }
  const rights = checkRights(dataDir, found);
  let trial: string;
  try {
    await removeOldTrials(dataDir);
    trial = await mkdtemp(join(dataDir, TRIAL_PREFIX));
  } catch (error) {
    const hint = `let the user of the gateway own it: chown -R USER ${dataDir}`;
    return { findings: [rights, fail(CHECK, `${dataDir} cannot be written (${codeOf(error)})`, hint)] };
  }
  return { findings: [rights, await checkSync(trial), ...(await checkRoom(dataDir))], trial };
}

async function checkParent(dataDir: string): Promise<Finding> {
  for (let folder = dirname(resolve(dataDir)); ; folder = dirname(folder)) {
    try {
      await access(folder, constants.W_OK | constants.X_OK);
      return ok(CHECK, `${dataDir} is not there yet; the first start makes it`);
    } catch (error) {
      if (codeOf(error) === "ENOENT" && folder !== dirname(folder)) continue;
      return fail(
        CHECK,
        `${dataDir} cannot be made in ${folder} (${codeOf(error)})`,
        "give another --data-dir",
      );
    }
  }
}

function checkRights(dataDir: string, { mode, uid }: { mode: number; uid: number }): Finding {
  const own = process.getuid?.();
  if (own !== undefined && own !== uid && own !== 0) {
    return warn(
      CHECK,
      `${dataDir} belongs to user ${uid}, and this is user ${own}`,
      "run this as the user of the gateway",
    );
  }
  if (process.platform !== "win32" && (mode & 0o077) !== 0) {
    return warn(
      CHECK,
      `others have rights on ${dataDir}, where payloads and results are`,
      `chmod 700 ${dataDir}`,
    );
  }
  return ok(CHECK, `${dataDir} is its owner's alone`);
}

/** Accepting and ending a task each wait for such a write. */
async function checkSync(trial: string): Promise<Finding> {
  const check = "disk";
  const times: number[] = [];
  try {
    const handle = await open(join(trial, "sync"), "w", 0o600);
    try {
      for (let i = 0; i < TRIAL_WRITES; i += 1) {
        const beganMs = performance.now();
        await handle.write(Buffer.alloc(4096, i));
        await handle.sync();
        times.push(performance.now() - beganMs);
      }
    } finally {
      await handle.close();
    }
  } catch (error) {
    return fail(check, `a write cannot be made durable (${codeOf(error)})`, "use a local disk");
  }
  const medianMs = times.sort((a, b) => a - b)[Math.floor(TRIAL_WRITES / 2)] ?? 0;
  const text = `a durable write takes ${medianMs.toFixed(1)} ms`;
  return medianMs <= SLOW_SYNC_MS ? ok(check, text) : warn(check, text, "use a faster local disk");
}

async function checkRoom(dataDir: string): Promise<Finding[]> {
  const check = "disk";
  const { type, bavail, bsize } = await statfs(dataDir);
  const freeBytes = bavail * bsize;
  const text = `${sizeText(freeBytes)} are free`;
  const hint = "free some room, or shorten --retention";
  const room =
    freeBytes < NO_ROOM
      ? fail(check, text, hint)
      : freeBytes < LITTLE_ROOM
        ? warn(check, text, hint)
        : ok(check, text);
  const network = NETWORK_TYPES[type >>> 0];
  if (network === undefined) return [room];
  return [
    room,
    fail(check, `${dataDir} is on ${network}, where a database can be broken`, "use a local disk"),
  ];
}

/** Of a doctor that was ended halfway. */
async function removeOldTrials(dataDir: string): Promise<void> {
  for (const name of await readdir(dataDir)) {
    if (!name.startsWith(TRIAL_PREFIX)) continue;
    const found = await stat(join(dataDir, name)).catch(() => undefined);
    if (found !== undefined && Date.now() - found.mtimeMs > 600_000) {
      await rm(join(dataDir, name), { recursive: true, force: true });
    }
  }
}
