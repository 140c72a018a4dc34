import type { WakeupTopic } from "@modelgate/core";
import { namesOf as namesIn } from "../wakeups/name-messages.ts";

/** The server takes payloads of less than 8,000 bytes. */
const MOST_BYTES = 7_999;

/** The letter and the brackets. */
const FRAME_BYTES = 3;

/** Of one hint; what does not fit is left to polling. */
const MOST_PAYLOADS = 8;

const LETTERS: Readonly<Record<WakeupTopic, string>> = { work: "w", ended: "e", deployments: "d" };

export const TOPICS: readonly WakeupTopic[] = Object.keys(LETTERS) as WakeupTopic[];

/**
 * A topic's letter and its names as JSON, in ASCII alone, so that a database of any encoding takes it and a NUL and a
 * lone surrogate survive. A name that is too long for a payload is left out.
 */
export function toPayloads(topic: WakeupTopic, names: readonly string[]): string[] {
  const payloads: string[] = [];
  let items: string[] = [];
  let size = 0;
  const finish = (): void => {
    payloads.push(`${LETTERS[topic]}[${items.join()}]`);
    items = [];
    size = 0;
  };
  for (const name of names) {
    const item = toAscii(JSON.stringify(name));
    if (FRAME_BYTES + item.length > MOST_BYTES) continue;
    if (FRAME_BYTES + size + item.length > MOST_BYTES) {
      finish();
      if (payloads.length === MOST_PAYLOADS) return payloads;
    }
    items.push(item);
    size += item.length + 1;
  }
  if (items.length > 0 || payloads.length === 0) finish();
  return payloads;
}

/** What a payload tells; `undefined` for one that is not ours. */
export function namesOf(payload: string): { topic: WakeupTopic; names: readonly string[] } | undefined {
  const topic = TOPICS.find((each) => payload.startsWith(LETTERS[each]));
  if (topic === undefined) return undefined;
  const names = namesIn(payload.slice(1));
  return names === undefined ? undefined : { topic, names };
}

function toAscii(json: string): string {
  return json.replace(/[\u0080-\uffff]/g, (unit) => {
    return `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`;
  });
}
