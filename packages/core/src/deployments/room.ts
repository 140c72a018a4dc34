import type { Room } from "../contracts/deployer.ts";
import type { ServerDemands } from "./api.ts";
import type { Entries } from "./book.ts";
import { type Entry, takesRoom } from "./entry.ts";

const NO_ROOM_TAKEN: Room = { memoryBytes: 0, cpus: 0, gpus: 0 };
const KINDS = ["memoryBytes", "cpus", "gpus"] as const;

/** What a deployment is charged: its limit, else its reservation, else the default. */
export function roomOf(
  spec: {
    readonly limits?: Partial<Room> | undefined;
    readonly reservations?: Partial<Room> | undefined;
  } & Pick<ServerDemands, "gpus">,
  standard: Room,
): Room {
  const { limits, reservations, gpus } = spec;
  return {
    memoryBytes: limits?.memoryBytes ?? reservations?.memoryBytes ?? standard.memoryBytes,
    cpus: limits?.cpus ?? reservations?.cpus ?? standard.cpus,
    gpus: cardsOf(gpus) ?? limits?.gpus ?? standard.gpus,
  };
}

function cardsOf(gpus: ServerDemands["gpus"]): number | undefined {
  if (gpus === undefined || typeof gpus === "number") return gpus;
  return gpus === "all" ? Number.MAX_SAFE_INTEGER : gpus.length;
}

export function sum(rooms: Iterable<Partial<Room>>): Room {
  const total = { ...NO_ROOM_TAKEN };
  for (const room of rooms) for (const kind of KINDS) total[kind] += room[kind] ?? 0;
  return total;
}

/** What the deployments have reserved. */
export function reserved(entries: Entries): Room {
  return sum([...entries.values()].filter(takesRoom).map(({ room }) => room));
}

/** The first kind of room of which there is too little, or `undefined` when it fits. */
export function lacks(total: Partial<Room>, taken: Room, room: Room): keyof Room | undefined {
  return KINDS.find((kind) => {
    const all = total[kind];
    // Whoever wants all cards wants those that there are.
    return all !== undefined && room[kind] > 0 && taken[kind] + Math.min(room[kind], all) > all;
  });
}

/** Whether it could never fit, whoever yields. */
export function isTooLarge(total: Partial<Room>, room: Room): keyof Room | undefined {
  return KINDS.find((kind) => {
    const all = total[kind];
    return (
      all !== undefined && room[kind] > all && !(kind === "gpus" && room[kind] === Number.MAX_SAFE_INTEGER)
    );
  });
}

/** A server that could yield, and what speaks for it. */
export interface Resident {
  readonly entry: Entry;
  /** Since its last activity, in milliseconds; 0 while it is at work or work waits for it. */
  readonly idleMs: number;
  /** What its start took. */
  readonly startCostMs: number;
  /** Lowest rank of what waits for its model. */
  readonly firstRank?: number | undefined;
}

/**
 * Who yields so that `room` fits: the idle ones first, longest idle for its start cost before the others, then busy ones
 * whose waiting work is younger than what waits for this room. Empty when nothing would help.
 */
export function choosePlaces(
  room: Room,
  {
    total,
    taken,
    residents,
    firstRank,
  }: {
    readonly total: Partial<Room>;
    readonly taken: Room;
    readonly residents: readonly Resident[];
    /** Lowest rank of the work that waits for this room; absent when nothing does. */
    readonly firstRank?: number | undefined;
  },
): readonly Entry[] {
  const idle = residents
    .filter(({ idleMs }) => idleMs > 0)
    .sort((one, other) => other.idleMs / other.startCostMs - one.idleMs / one.startCostMs);
  const busy = residents
    .filter((each) => each.idleMs === 0 && firstRank !== undefined && isYounger(each.firstRank, firstRank))
    .sort((one, other) => (other.firstRank ?? Infinity) - (one.firstRank ?? Infinity));
  const chosen: Entry[] = [];
  let left = taken;
  for (const { entry } of [...idle, ...busy]) {
    const short = lacks(total, left, room);
    if (short === undefined) break;
    if (entry.room[short] === 0) continue;
    chosen.push(entry);
    left = subtract(left, entry.room);
  }
  return lacks(total, left, room) === undefined ? chosen : [];
}

function isYounger(own: number | undefined, other: number): boolean {
  return own === undefined || own > other;
}

function subtract(from: Room, room: Room): Room {
  return {
    memoryBytes: from.memoryBytes - room.memoryBytes,
    cpus: from.cpus - room.cpus,
    gpus: from.gpus - room.gpus,
  };
}
