/** A message of more makes the server hold much for each listener that is slow, and breaks off those that stay so. */
const MOST_BYTES = 65_536;

/** Of one hint; what does not fit is left to polling. */
const MOST_MESSAGES = 8;

/** Names as JSON. A name that is too long for a message is left out. */
export function toMessages(names: readonly string[]): string[] {
  const messages: string[] = [];
  let items: string[] = [];
  let size = 2;
  for (const name of names) {
    const item = JSON.stringify(name);
    const bytes = Buffer.byteLength(item) + 1;
    if (bytes + 2 > MOST_BYTES) continue;
    if (size + bytes > MOST_BYTES) {
      messages.push(`[${items.join()}]`);
      if (messages.length === MOST_MESSAGES) return messages;
      items = [];
      size = 2;
    }
    items.push(item);
    size += bytes;
  }
  if (items.length > 0 || messages.length === 0) messages.push(`[${items.join()}]`);
  return messages;
}

/** The names that a message tells; `undefined` for one that is not ours. */
export function namesOf(message: string): readonly string[] | undefined {
  try {
    const names = JSON.parse(message) as unknown;
    if (!Array.isArray(names) || !names.every((name) => typeof name === "string")) return undefined;
    return names as string[];
  } catch {
    return undefined;
  }
}
