import type { Checkpoint } from "../checkpoint.ts";
import type { Clock } from "../contracts/clock.ts";
import type { ExchangeRequest, Grant, ServerWant } from "../contracts/ledger.ts";
import type { Delivery, DeliverySettlement, TakeRequest } from "../contracts/queue.ts";
import type { ApplyReply, Claim, ClaimOutcome, TaskStore } from "../contracts/task-store.ts";
import {
  freeSlots,
  isHoldFree,
  type OpenLanes,
  planGrants,
  type ServerRoom,
} from "../scheduler/plan-grants.ts";
import { compareRank } from "../scheduler/rank.ts";
import { listDue } from "./list-due.ts";
import type { QueueCall } from "./queue-call.ts";

export interface GrantHost {
  readonly store: Pick<TaskStore, "claim" | "list">;
  readonly checkpoint: Checkpoint;
  readonly clock: Clock;
  readonly visibilityMs: number;
  /** Goes on beside, and is waited for when the ledger is closed. It never rejects. */
  readonly later: (work: Promise<void>) => void;
}

export interface Waited {
  readonly grants: readonly Grant[];
  /** When the first of the tasks that turned out to be delayed is due. */
  readonly nextDueInMs: number | undefined;
}

/** Rounds of one exchange, and the share of the lease that they may use up. */
const MAX_ROUNDS = 32;
const LEASE_SHARE = 0.1;
/** Other servers that one claim names, in case the chosen one turns out to be full. */
const MAX_ALTERNATIVES = 3;
/** Tasks of one lane that are looked at while the queue is away. */
const MAX_DUE = 1000;

/** A wanted server as this exchange sees it. */
interface Room {
  readonly want: ServerWant;
  /** Slots that this exchange may still grant. */
  max: number;
  used: number;
  held: boolean;
}

/** A round's task, where it goes, and the claim for it. */
interface Planned {
  readonly delivery: Delivery;
  readonly claim: Claim;
}

/**
 * Takes from the queue what can start now, chooses servers by the rule of `planGrants` and claims the tasks in the
 * store. Each round takes the lowest ranks of all lanes that have room. One is enough unless a delivery could not be
 * used: its task was gone or delayed, or lanes that share a server had more to give than it has slots.
 */
export async function grantWaiting(
  host: GrantHost,
  queue: QueueCall,
  request: ExchangeRequest,
  applied: ApplyReply,
  signal: AbortSignal | undefined,
): Promise<Waited> {
  const { clock, checkpoint, store, visibilityMs } = host;
  const { runner, incarnation, sequence, leaseMs } = request;
  const held = new Set(applied.held);
  const rooms = request.want.map((want): Room => {
    return { want, max: want.max, used: applied.used[want.server] ?? 0, held: held.has(want.server) };
  });
  const grants: Grant[] = [];
  let nextDueInMs: number | undefined;
  const endsAtMs = clock.monotonic() + leaseMs * LEASE_SHARE;
  for (let round = 0; round < MAX_ROUNDS && clock.monotonic() <= endsAtMs; round += 1) {
    const ask = { ...whatFits(rooms), visibilityMs };
    if (ask.max === 0) break;
    const taken = await queue.ask("ledger.take", (asked, options) => asked.take(ask, options));
    signal?.throwIfAborted();
    const deliveries = taken ?? (await dueInStore(host, ask, signal));
    if (deliveries.length === 0) break;
    const { planned, rest } = plan(rooms, deliveries);
    const claims = planned.map(({ claim }) => claim);
    let outcomes: readonly ClaimOutcome[] = [];
    try {
      const call = { runner, incarnation, sequence, leaseMs, claims };
      if (claims.length > 0) outcomes = await checkpoint("ledger.claim", store.claim(call, { signal }));
    } catch (error) {
      await settle(queue, deliveries.map(backAtOnce));
      throw error;
    }
    const settlements = rest;
    planned.forEach(({ delivery, claim }, at) => {
      const outcome = outcomes[at] ?? { outcome: "full" };
      settlements.push(settlementOf(delivery, outcome));
      if (outcome.outcome === "granted") grants.push(outcome.grant);
      if (outcome.outcome === "not_yet")
        nextDueInMs = Math.min(nextDueInMs ?? outcome.delayMs, outcome.delayMs);
      account(rooms, delivery.background, claim, outcome);
    });
    const settling = settle(queue, settlements);
    // Nobody waits for what the queue says of tasks that are granted: the tasks may start.
    if (outcomes.length === deliveries.length && outcomes.every(({ outcome }) => outcome === "granted")) {
      host.later(settling);
      break;
    }
    await settling;
    // Without the queue, whose entries of these tasks will turn out to be gone, one page is enough.
    if (taken === undefined) break;
  }
  return { grants, nextDueInMs };
}

/** What the queue would hand out if it answered. Nobody is kept from it until it is claimed, which decides. */
async function dueInStore(
  { store, checkpoint }: GrantHost,
  { lanes, max }: Pick<TakeRequest, "lanes" | "max">,
  signal: AbortSignal | undefined,
): Promise<Delivery[]> {
  const due = lanes.map((lane) => ({ ...lane, max: Math.min(lane.max, max, MAX_DUE) }));
  const { items } = await checkpoint("ledger.list-due", listDue(store, due, undefined, { signal }));
  return items.map(({ id, model, background, rank }) => ({ id, lane: model, background, rank, receipt: id }));
}

/** The lanes that have room, and never more of them than can start now. */
function whatFits(rooms: readonly Room[]): Pick<TakeRequest, "lanes" | "max"> {
  const slots = new Map<string, number>();
  const holds = new Map<string, number>();
  let max = 0;
  for (const room of rooms.map(toServerRoom)) {
    const free = freeSlots(room);
    const holdFree = isHoldFree(room) ? 1 : 0;
    max += free + holdFree;
    for (const model of new Set(room.want.models)) {
      if (free > 0) slots.set(model, (slots.get(model) ?? 0) + free);
      if (holdFree > 0) holds.set(model, (holds.get(model) ?? 0) + 1);
    }
  }
  const lanes = (counts: Map<string, number>, background: boolean) =>
    Array.from(counts, ([lane, count]) => ({ lane, background, max: count }));
  return { lanes: [...lanes(slots, false), ...lanes(holds, true)], max };
}

/** Chooses servers. `rest` is given back: there is no room for it, or it was delivered twice. */
function plan(
  rooms: readonly Room[],
  deliveries: readonly Delivery[],
): { planned: Planned[]; rest: DeliverySettlement[] } {
  const byId = new Map<string, Delivery>();
  const byLane = new Map<string, Delivery[]>();
  const rest: DeliverySettlement[] = [];
  for (const delivery of deliveries) {
    if (byId.has(delivery.id)) {
      rest.push({ receipt: delivery.receipt, kind: "done" });
      continue;
    }
    byId.set(delivery.id, delivery);
    const key = laneKey(delivery.lane, delivery.background);
    const lane = byLane.get(key);
    if (lane === undefined) byLane.set(key, [delivery]);
    else lane.push(delivery);
  }
  const open: OpenLanes = (models, background) => {
    const tasks = models.flatMap((model) => byLane.get(laneKey(model, background)) ?? []).sort(compareRank);
    let at = 0;
    return {
      next: () => {
        const delivery = tasks[at++];
        return delivery === undefined
          ? undefined
          : { id: delivery.id, model: delivery.lane, rank: delivery.rank };
      },
    };
  };
  const chosen = planGrants(rooms.map(toServerRoom), open);
  const spare = spareRoom(
    rooms,
    chosen.map(({ id, want }) => ({ server: want.server, delivery: byId.get(id) })),
  );
  const planned = chosen.flatMap(({ id, want }): Planned[] => {
    const delivery = byId.get(id);
    if (delivery === undefined) return [];
    byId.delete(id);
    const servers = [want, ...spare(delivery, want.server)].map(({ server, instance, limit }) => ({
      server,
      instance,
      limit,
    }));
    return [{ delivery, claim: { id, servers } }];
  });
  rest.push(...Array.from(byId.values(), backAtOnce));
  return { planned, rest };
}

/** Hands out what the plan left free, each slot to one claim only, so that no server gets more than its `max`. */
function spareRoom(
  rooms: readonly Room[],
  chosen: readonly { readonly server: string; readonly delivery: Delivery | undefined }[],
): (delivery: Delivery, except: string) => ServerWant[] {
  const slots = new Map<string, number>();
  const holds = new Map<string, number>();
  for (const room of rooms.map(toServerRoom)) {
    slots.set(room.want.server, freeSlots(room));
    holds.set(room.want.server, isHoldFree(room) ? 1 : 0);
  }
  for (const { server, delivery } of chosen) take(delivery?.background ? holds : slots, server);
  const byModel = new Map<string, ServerWant[]>();
  for (const { want } of rooms) {
    for (const model of want.models) {
      const serving = byModel.get(model);
      if (serving === undefined) byModel.set(model, [want]);
      else serving.push(want);
    }
  }
  return ({ lane, background }, except) => {
    const left = background ? holds : slots;
    const alternatives: ServerWant[] = [];
    for (const want of byModel.get(lane) ?? []) {
      if (alternatives.length === MAX_ALTERNATIVES) break;
      if (want.server !== except && take(left, want.server)) alternatives.push(want);
    }
    return alternatives;
  };
}

function take(left: Map<string, number>, server: string): boolean {
  const count = left.get(server) ?? 0;
  if (count > 0) left.set(server, count - 1);
  return count > 0;
}

/** Takes over what the store said of a claim. A server that it found full is asked for no more in this exchange. */
function account(rooms: readonly Room[], background: boolean, claim: Claim, outcome: ClaimOutcome): void {
  if (outcome.outcome !== "granted" && outcome.outcome !== "full") return;
  const servers =
    outcome.outcome === "granted" ? [outcome.grant.server] : claim.servers.map(({ server }) => server);
  for (const room of rooms) {
    if (!servers.includes(room.want.server)) continue;
    if (background) room.held = true;
    else if (outcome.outcome === "full") room.max = 0;
    else {
      room.used += 1;
      room.max -= 1;
    }
  }
}

function settlementOf({ receipt }: Delivery, outcome: ClaimOutcome): DeliverySettlement {
  if (outcome.outcome === "full") return { receipt, kind: "back", delayMs: 0 };
  if (outcome.outcome === "not_yet") return { receipt, kind: "back", delayMs: outcome.delayMs };
  return { receipt, kind: "done" };
}

async function settle(queue: QueueCall, settlements: readonly DeliverySettlement[]): Promise<void> {
  await queue.ask("ledger.settle-deliveries", (asked, options) => asked.settle(settlements, options));
}

function backAtOnce({ receipt }: Delivery): DeliverySettlement {
  return { receipt, kind: "back", delayMs: 0 };
}

function toServerRoom({ want, max, used, held }: Room): ServerRoom {
  return { want: { ...want, max }, used, held };
}

function laneKey(lane: string, background: boolean): string {
  return `${background ? "b" : "f"}${lane}`;
}
