import { lstat, realpath } from "node:fs/promises";
import { dirname, join } from "node:path";
import { GatewayError } from "@modelgate/core";

const KEY = /^[A-Za-z0-9_./-]{1,512}$/;

/** Longer names are cut: file systems take 255 bytes, and a key may be one part of 512. */
const CHUNK = 200;

/** Both lie outside the alphabet of keys, so that object `a` and the folder of object `a/b` never collide. */
const OBJECT_MARK = "~";
const CONTINUED_MARK = "=";

/** Throws `INVALID_REQUEST` for a key that the contract does not allow. */
export function requireKey(key: string): void {
  const isValid =
    KEY.test(key) && key.split("/").every((part) => part !== "" && part !== "." && part !== "..");
  if (isValid) return;
  throw new GatewayError(
    "INVALID_REQUEST",
    "key must be 1 to 512 characters of A-Z, a-z, 0-9, _, ., / and -, without empty, . or .. parts",
    { details: { field: "key" } },
  );
}

/** The folders and the file name of an object, below the root. */
function pathOf(key: string): readonly string[] {
  return key.split("/").flatMap((part, index, parts) => {
    const chunks: string[] = [];
    let rest = part;
    while (rest.length > CHUNK) {
      // What is left must not be `.` or `..`: those are folders of the file system's own.
      const cut = rest.length < CHUNK + 3 ? CHUNK - 3 : CHUNK;
      chunks.push(rest.slice(0, cut) + CONTINUED_MARK);
      rest = rest.slice(cut);
    }
    return [...chunks, index === parts.length - 1 ? rest + OBJECT_MARK : rest];
  });
}

/** What a name that we make looks like. */
const OWN_NAME = /^[A-Za-z0-9_.-]+[~=]?$/;

/** What the entry of a folder adds to the key of that folder; `undefined` for one that is not ours. */
export function keyPartOf(
  name: string,
  isFolder: boolean,
): { readonly part: string; readonly isObject: boolean } | undefined {
  if (!OWN_NAME.test(name)) return undefined;
  if (!isFolder) return name.endsWith(OBJECT_MARK) ? { part: name.slice(0, -1), isObject: true } : undefined;
  return { part: name.endsWith(CONTINUED_MARK) ? name.slice(0, -1) : `${name}/`, isObject: false };
}

/**
 * Throws if a symbolic link lies on the way from `root`, a real path, to `folder`: it could lead out of the store's own
 * directory. Folders that do not exist yet are fine, below ones that are what they seem.
 */
export async function requireNoLink(folder: string, root: string): Promise<void> {
  for (let at = folder; at !== root; at = dirname(at)) {
    try {
      if ((await realpath(at)) !== at) throw leadsOut();
      return;
    } catch (error) {
      if (!isCode(error, "ENOENT") && !isCode(error, "ENOTDIR")) throw error;
      // A link that leads nowhere yet has no real path either.
      if (await isLink(at)) throw leadsOut();
    }
  }
}

/** Throws if `path` itself is a symbolic link or anything else that is no file. */
export async function requireFile(path: string): Promise<void> {
  try {
    if (!(await lstat(path)).isFile()) throw leadsOut();
  } catch (error) {
    if (!isCode(error, "ENOENT")) throw error;
  }
}

async function isLink(path: string): Promise<boolean> {
  return (await lstat(path).catch(() => undefined))?.isSymbolicLink() === true;
}

export function fileOf(root: string, key: string): string {
  return join(root, ...pathOf(key));
}

export function isCode(error: unknown, code: string): boolean {
  return typeof error === "object" && error !== null && (error as NodeJS.ErrnoException).code === code;
}

function leadsOut(): GatewayError {
  return new GatewayError("STORE_UNAVAILABLE", "a symbolic link lies in the object directory; remove it");
}

/** For `catch`: what is not there is `undefined`. */
export function unlessMissing(error: unknown): undefined {
  if (isCode(error, "ENOENT") || isCode(error, "ENOTDIR")) return undefined;
  throw error;
}
