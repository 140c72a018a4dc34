import type { Page } from "../contracts/common.ts";

const PAGE_SIZE = 1000;

/** The keys that begin with `prefix`, in order, after `cursor`. */
export function pageOfKeys(keys: Iterable<string>, prefix: string, cursor: string | undefined): Page<string> {
  const rest: string[] = [];
  for (const key of keys)
    if (key.startsWith(prefix) && (cursor === undefined || key > cursor)) rest.push(key);
  const items = rest.sort().slice(0, PAGE_SIZE);
  return { items, nextCursor: rest.length > PAGE_SIZE ? items.at(-1) : undefined };
}
