import { createHash } from "node:crypto";
import type { QueueLane } from "@modelgate/core";

/**
 * A band is a queue of its own. The broker's priorities would need one queue only, but what they mean depends on the
 * kind of queue and changed with versions. Hours by which an entry is ahead of one of priority 0 that begins to wait
 * now, at least; the last band has the rest. A level is worth an hour unless configured otherwise, and 5 is the default.
 */
const LEADS_HOURS = [7.5, 5.5, 4.5, 2.5];

export const BANDS: readonly number[] = [0, 1, 2, 3, 4];

const LONGEST_READABLE = 100;

/** 0 is the most urgent. */
export function bandOf(rank: number, nowMs: number): number {
  const leadHours = (nowMs - rank) / 3_600_000;
  const band = LEADS_HOURS.findIndex((atLeast) => leadHours >= atLeast);
  return band === -1 ? LEADS_HOURS.length : band;
}

/** A queue of a band: `<prefix>.tasks.<band>.<lane>`, or `<prefix>.background.<band>.<lane>`. */
export function queueNameOf(prefix: string, lane: QueueLane, band: number): string {
  return `${prefix}.${lane.background ? "background" : "tasks"}.${band}.${encode(lane.lane)}`;
}

/** What tells that a lane has any queue. */
export function laneKeyOf(prefix: string, lane: QueueLane): string {
  return `${prefix}.${lane.background ? "background" : "tasks"}.any.${encode(lane.lane)}`;
}

/** At most 255 bytes in all, and readable where that is possible; what was changed is told by a hash. */
function encode(lane: string): string {
  const readable = lane.replace(/[^A-Za-z0-9._-]/g, "_").slice(0, LONGEST_READABLE);
  if (readable === lane) return lane;
  // As UTF-16, since UTF-8 has one and the same text for all halves of a pair.
  const hash = createHash("sha256").update(Buffer.from(lane, "utf16le")).digest("hex");
  return `${readable}~${hash.slice(0, 24)}`;
}
