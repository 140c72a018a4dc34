/** What the header says: nothing, a key, or something that is none. */
export type KeyRead =
  | { readonly key: string | undefined; readonly isBad: false }
  | { readonly key: undefined; readonly isBad: true };

const none: KeyRead = { key: undefined, isBad: false };
const bad: KeyRead = { key: undefined, isBad: true };

/**
 * Reads the header `Idempotency-Key`: as most callers send it, plainly, or as the IETF's draft has it, a string in quotes. Both
 * forms of one key are the same key.
 */
export function readIdempotencyKey(text: string | undefined): KeyRead {
  if (text === undefined) return none;
  const key = text.startsWith('"') ? unquoted(text) : text;
  if (key === undefined || !/^[\x21-\x7e]{1,255}$/.test(key)) return bad;
  return { key, isBad: false };
}

function unquoted(text: string): string | undefined {
  const inner = /^"((?:[^"\\]|\\["\\])*)"$/.exec(text)?.[1];
  return inner?.replace(/\\(.)/g, "$1");
}
