import type { ServerWant } from "../contracts/ledger.ts";
import { Heap } from "./heap.ts";
import { compareRank } from "./rank.ts";

/** A waiting task, as far as order and room are concerned. */
export interface WaitingTask {
  readonly id: string;
  readonly model: string;
  readonly rank: number;
}

/** A server that is asked for, with what is taken of it now. */
export interface ServerRoom {
  readonly want: ServerWant;
  /** Slots in use, over all runners. */
  readonly used: number;
  /** Whether background work holds it. */
  readonly held: boolean;
}

/** Yields the waiting tasks of several lanes, lowest rank first, each at most once. */
export interface LaneCursor {
  next(): WaitingTask | undefined;
}

/** Opens a cursor over lanes that can go to exactly the same servers. */
export type OpenLanes = (models: readonly string[], background: boolean) => LaneCursor;

export interface PlannedGrant {
  readonly id: string;
  readonly want: ServerWant;
}

interface Room {
  readonly want: ServerWant;
  readonly order: number;
  used: number;
  free: number;
  holdFree: boolean;
}

interface Group {
  readonly rooms: readonly Room[];
  readonly background: boolean;
  readonly cursor: LaneCursor;
  readonly head: WaitingTask;
}

/**
 * Decides which waiting tasks go to which servers. Pure but for the cursors that it reads.
 *
 * 1. Lanes that the same servers serve form one group; a group without room is never read, so it holds up no other.
 * 2. The lowest rank among the heads of all groups with room goes next; ties by id.
 * 3. It goes to the server with the smallest share of its slots in use, then the lowest cost, then the first named.
 * 4. Background work needs the server's one hold and no slot; other work needs a slot and ignores the hold.
 */
export function planGrants(rooms: readonly ServerRoom[], open: OpenLanes): PlannedGrant[] {
  const states = rooms.map(toRoom);
  const groups = new Heap<Group>((a, b) => compareRank(a.head, b.head));
  for (const background of [false, true]) {
    for (const group of groupLanes(states, background, open)) groups.push(group);
  }
  const planned: PlannedGrant[] = [];
  for (;;) {
    const group = groups.pop();
    if (group === undefined) return planned;
    const room = leastLoaded(group);
    // What is full stays full within one plan, so that the group is never looked at again.
    if (room === undefined) continue;
    if (group.background) {
      room.holdFree = false;
    } else {
      room.used += 1;
      room.free -= 1;
    }
    planned.push({ id: group.head.id, want: room.want });
    const head = group.cursor.next();
    if (head !== undefined) groups.push({ ...group, head });
  }
}

/** Slots that may be granted now. */
export function freeSlots({ want, used }: ServerRoom): number {
  return Math.max(0, Math.min(want.max, want.limit - used));
}

/** Whether background work may take the server now. */
export function isHoldFree({ want, held }: ServerRoom): boolean {
  return want.background && !held;
}

function toRoom(room: ServerRoom, order: number): Room {
  return { want: room.want, order, used: room.used, free: freeSlots(room), holdFree: isHoldFree(room) };
}

function hasRoom(room: Room, background: boolean): boolean {
  return background ? room.holdFree : room.free > 0;
}

function groupLanes(rooms: readonly Room[], background: boolean, open: OpenLanes): Group[] {
  const byModel = new Map<string, Room[]>();
  for (const room of rooms) {
    if (!hasRoom(room, background)) continue;
    for (const model of room.want.models) {
      const serving = byModel.get(model);
      if (serving === undefined) byModel.set(model, [room]);
      else if (serving.at(-1) !== room) serving.push(room);
    }
  }
  const byServers = new Map<string, { rooms: Room[]; models: string[] }>();
  for (const [model, serving] of byModel) {
    const key = serving.map((room) => room.order).join();
    const group = byServers.get(key);
    if (group === undefined) byServers.set(key, { rooms: serving, models: [model] });
    else group.models.push(model);
  }
  return [...byServers.values()].flatMap(({ rooms: serving, models }) => {
    const cursor = open(models, background);
    const head = cursor.next();
    return head === undefined ? [] : [{ rooms: serving, background, cursor, head }];
  });
}

function leastLoaded({ rooms, background }: Group): Room | undefined {
  let best: Room | undefined;
  for (const room of rooms) {
    if (hasRoom(room, background) && (best === undefined || isLessLoaded(room, best))) best = room;
  }
  return best;
}

function isLessLoaded(a: Room, b: Room): boolean {
  const load = a.used / a.want.limit - b.used / b.want.limit;
  if (load !== 0) return load < 0;
  return a.want.cost !== b.want.cost ? a.want.cost < b.want.cost : a.order < b.order;
}
