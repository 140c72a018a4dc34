import { opendir } from "node:fs/promises";
import { join } from "node:path";
import { isCode, keyPartOf } from "./object-path.ts";

/**
 * The smallest `limit` keys above `after` that begin with `prefix`, in order. Folders come in any order and may be
 * large, so only the best so far are kept; a folder that cannot hold a better one is not entered.
 */
export async function smallestKeys(
  root: string,
  prefix: string,
  after: string,
  limit: number,
): Promise<string[]> {
  let best: string[] = [];
  let bound: string | undefined;
  const keep = (key: string): void => {
    best.push(key);
    if (best.length < 2 * limit) return;
    best = best.sort(byCodeUnit).slice(0, limit);
    bound = best.at(-1);
  };

  const walk = async (folder: string, base: string): Promise<void> => {
    for await (const entry of entriesOf(folder)) {
      const known =
        entry.isFile() || entry.isDirectory() ? keyPartOf(entry.name, entry.isDirectory()) : undefined;
      if (known === undefined) continue;
      const key = base + known.part;
      if (bound !== undefined && key > bound) continue;
      if (known.isObject) {
        if (key > after && key.startsWith(prefix)) keep(key);
      } else if (mayHold(key, prefix, after)) await walk(join(folder, entry.name), key);
    }
  };
  await walk(root, "");
  return best.sort(byCodeUnit).slice(0, limit);
}

/** Whether keys that begin with `base` can begin with `prefix` and lie above `after`. */
function mayHold(base: string, prefix: string, after: string): boolean {
  if (!base.startsWith(prefix) && !prefix.startsWith(base)) return false;
  return base > after || after.startsWith(base);
}

async function* entriesOf(folder: string): AsyncGenerator<import("node:fs").Dirent> {
  try {
    yield* await opendir(folder, { bufferSize: 256 });
  } catch (error) {
    if (!isCode(error, "ENOENT")) throw error;
  }
}

function byCodeUnit(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
