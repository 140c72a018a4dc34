import { randomBytes } from "node:crypto";
import { link, lstat, open, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { CommandError } from "./command-error.ts";
import { EXIT } from "./exit-codes.ts";

const KEY_BYTES = 32;
const KEY = /^[\x21-\x7e]{16,255}$/;

export function adminKeyFile(dataDir: string): string {
  return join(dataDir, "admin-key");
}

export interface KeptKey {
  readonly key: string;
  /** Whether others than its owner may read the file. */
  readonly isOpen: boolean;
}

/** The key of a data directory; `undefined` when there is none yet. Throws `CommandError` for a file of something else. */
export async function readAdminKey(dataDir: string): Promise<KeptKey | undefined> {
  const file = adminKeyFile(dataDir);
  try {
    const found = await lstat(file);
    if (!found.isFile()) throw unusable(file, "is no file");
    const key = (await readFile(file, "utf8")).trim();
    if (!KEY.test(key)) throw unusable(file, "holds no key");
    return { key, isOpen: process.platform !== "win32" && (found.mode & 0o077) !== 0 };
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ENOTDIR") return undefined;
    if (code !== undefined) throw unusable(file, `cannot be read (${code})`);
    throw error;
  }
}

/** The key of a data directory, made if there is none. Of several processes that make one, all end up with the same. */
export async function keepAdminKey(dataDir: string): Promise<KeptKey> {
  const known = await readAdminKey(dataDir);
  if (known !== undefined) return known;
  const file = adminKeyFile(dataDir);
  const unfinished = `${file}.${randomBytes(8).toString("hex")}`;
  try {
    const handle = await open(unfinished, "wx", 0o600);
    try {
      await handle.writeFile(`${randomBytes(KEY_BYTES).toString("base64url")}\n`);
      await handle.sync();
    } finally {
      await handle.close();
    }
    // A link, other than a rename, never replaces the key that another process made meanwhile.
    await link(unfinished, file).catch(async (error: NodeJS.ErrnoException) => {
      if (error.code === "EEXIST") return;
      // Some file systems have no links.
      await rename(unfinished, file);
    });
  } finally {
    await rm(unfinished, { force: true });
  }
  const made = await readAdminKey(dataDir);
  if (made === undefined) throw unusable(file, "has gone right after it was made");
  return made;
}

function unusable(file: string, problem: string): CommandError {
  return new CommandError(
    EXIT.failed,
    `The admin key ${file} ${problem}; remove it, and the next start makes a new one, or give one by MODELGATE_ADMIN_KEY.`,
  );
}
