import type { WakeupTopic } from "@modelgate/core";
import { toMessages } from "../wakeups/name-messages.ts";

export const TOPICS: readonly WakeupTopic[] = ["work", "ended", "deployments"];

/** The names as messages of a bounded size and number; one without names for none. */
export function toPayloads(names: readonly string[]): Buffer[] {
  return toMessages([...new Set(names)]).map((message) => Buffer.from(message));
}
