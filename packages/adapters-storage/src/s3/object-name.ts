import { requireKey } from "../filesystem/object-path.ts";

/** MinIO keeps each part of a name as a folder, and file systems take names of 255 bytes. */
const LONGEST_PART = 200;

// Neither can come from a key, because both are outside the alphabet of keys.
const BREAK = "/~";
/**
 * What ends the name of every object. MinIO does not list object `a/b` when there is an object `a`; with this there is a
 * folder `a` and an object `a!`. It comes before every character of a key, so that names lie in the order of keys.
 */
const END = "!";

/** The pieces of a prefix of a key, each of which something follows. */
const CUT = new RegExp(`[^/]{${LONGEST_PART}}(?=[^])`, "g");

/** What a key can begin with; the last part may still become something else. */
const PREFIX = /^(?:(?!\.{1,2}\/)[A-Za-z0-9_.-]+\/)*[A-Za-z0-9_.-]*$/;
const LONGEST_KEY = 512;

/**
 * The name of the object of a key. A break comes after each 200 characters of a part if anything follows them: what
 * comes before alone decides on it, so that names begin alike where keys do.
 */
export function nameOf(prefix: string, key: string): string {
  requireKey(key);
  return prefix + broken(key) + END;
}

/** What the names of all keys begin with that begin with `start`; `undefined` when no key does. */
export function namePrefixOf(prefix: string, start: string): string | undefined {
  return start.length <= LONGEST_KEY && PREFIX.test(start) ? prefix + broken(start) : undefined;
}

/** The key of an object, or `undefined` for one that is not of our making. */
export function keyOf(prefix: string, name: string): string | undefined {
  if (!name.startsWith(prefix) || !name.endsWith(END)) return undefined;
  const key = name.slice(prefix.length, -END.length).replaceAll(BREAK, "");
  try {
    return nameOf(prefix, key) === name ? key : undefined;
  } catch {
    return undefined;
  }
}

function broken(key: string): string {
  return key.replace(CUT, (part) => part + BREAK);
}
