import { GatewayError, type QueueEntry, type QueueLane } from "@modelgate/core";

/**
 * How an entry is written in Redis. All that waits lies in one sorted set whose members have one score, so that their
 * bytes decide: `lane prefix`, `rank`, `id`. So the set of keys is fixed, as a Cluster and an ACL want it, one look
 * finds the head of each lane, and equal ranks go by id.
 */

const FROM_SURROGATES = /[\ud800-\uffff]/g;
const ESCAPED = /\ue000([0-9a-f]{4})/g;
const RANK_LENGTH = 16;

/**
 * Redis compares the bytes of UTF-8, JavaScript units of UTF-16: they disagree from the surrogates on, and a lone one
 * has no UTF-8. Those are written as U+E000 and four digits, which sort among themselves as their units do.
 */
export function encodeId(id: string): string {
  return id.replace(FROM_SURROGATES, (unit) => `\ue000${unit.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

export function decodeId(text: string): string {
  return text.replace(ESCAPED, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 16)));
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: a lane may have any name, and these two end one here.
const ENDS = /[\0\u0001]/g;

/** What all entries of a lane begin with, and those of no other lane do: its kind, its name and a NUL. */
export function lanePrefix({ lane, background }: QueueLane): string {
  const name = encodeId(lane).replace(ENDS, (end) => (end === "\0" ? "\u0001\u0001" : "\u0001\u0002"));
  return `${background ? "b" : "f"}${name}\0`;
}

const number = new DataView(new ArrayBuffer(8));

/** The bits of the double, turned so that the digits of lower ranks sort first: exact for every number. */
export function encodeRank(rank: number): string {
  if (!Number.isFinite(rank)) {
    throw new GatewayError("INVALID_REQUEST", `rank must be a finite number; it is ${rank}`, {
      details: { field: "rank" },
    });
  }
  // Minus zero is zero.
  number.setFloat64(0, rank + 0);
  const [high, low] = [number.getUint32(0), number.getUint32(4)];
  return high >>> 31 === 1 ? digits(~high) + digits(~low) : digits(high ^ 0x8000_0000) + digits(low);
}

export function decodeRank(text: string): number {
  const high = Number.parseInt(text.slice(0, 8), 16);
  const low = Number.parseInt(text.slice(8), 16);
  const isNegative = high >>> 31 === 0;
  number.setUint32(0, isNegative ? ~high : high ^ 0x8000_0000);
  number.setUint32(4, isNegative ? ~low : low);
  return number.getFloat64(0);
}

function digits(word: number): string {
  return (word >>> 0).toString(16).padStart(8, "0");
}

/** Where an entry waits: all of its member but the id. */
export function placeOf(entry: QueueEntry): string {
  return lanePrefix(entry) + encodeRank(entry.rank);
}

/** The parts of a member whose lane is known. */
export function readMember(member: string): { prefix: string; rank: number; id: string } {
  const end = member.indexOf("\0") + 1;
  return {
    prefix: member.slice(0, end),
    rank: decodeRank(member.slice(end, end + RANK_LENGTH)),
    id: decodeId(member.slice(end + RANK_LENGTH)),
  };
}

/** Names a delivery: the token of the take, which nobody can guess, and the entry. */
export function toReceipt(token: string, id: string): string {
  return `${token} ${id}`;
}

export function readReceipt(receipt: string): { token: string; id: string } | undefined {
  const end = receipt.indexOf(" ");
  return end > 0 ? { token: receipt.slice(0, end), id: receipt.slice(end + 1) } : undefined;
}
