import type { WakeupTopic } from "@modelgate/core";

export const TOPICS: readonly WakeupTopic[] = ["work", "ended", "deployments"];

const MOST_BYTES = 64 * 1024;
/** What is cut short is found by polling. */
const MOST_PAYLOADS = 8;

/** The names as messages of a bounded size and number; one without names for none. */
export function toPayloads(names: readonly string[]): Buffer[] {
  const payloads: Buffer[] = [];
  let items: string[] = [];
  let size = 2;
  const finish = (): void => {
    payloads.push(Buffer.from(`[${items.join()}]`));
    items = [];
    size = 2;
  };
  for (const name of new Set(names)) {
    const item = JSON.stringify(name);
    const itemBytes = Buffer.byteLength(item) + 1;
    if (itemBytes + 2 > MOST_BYTES) continue;
    if (size + itemBytes > MOST_BYTES) {
      finish();
      if (payloads.length === MOST_PAYLOADS) return payloads;
    }
    items.push(item);
    size += itemBytes;
  }
  if (items.length > 0 || payloads.length === 0) finish();
  return payloads;
}

/** `undefined` for what is not ours. */
export function namesOf(payload: Buffer): readonly string[] | undefined {
  try {
    const names = JSON.parse(payload.toString()) as unknown;
    if (!Array.isArray(names) || !names.every((name) => typeof name === "string")) return undefined;
    return names as string[];
  } catch {
    return undefined;
  }
}
