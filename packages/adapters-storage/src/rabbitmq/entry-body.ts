import type { QueueEntry } from "@modelgate/core";

/** What a message holds: lane and kind are told by its queue. */
export function encodeEntry({ id, rank }: Pick<QueueEntry, "id" | "rank">): Buffer {
  return Buffer.from(JSON.stringify([id, rank]));
}

/** `undefined` for what is not ours. */
export function decodeEntry(content: Buffer): { id: string; rank: number } | undefined {
  try {
    const [id, rank] = JSON.parse(content.toString()) as unknown[];
    return typeof id === "string" && typeof rank === "number" ? { id, rank } : undefined;
  } catch {
    return undefined;
  }
}
