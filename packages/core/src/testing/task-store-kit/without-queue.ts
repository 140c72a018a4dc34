import type { OperationOptions } from "../../contracts/common.ts";
import type { ExchangeRequest, Grant, Ledger, ServerWant } from "../../contracts/ledger.ts";
import type { TaskRecord } from "../../contracts/task.ts";
import type { ApplyReply, TaskStore } from "../../contracts/task-store.ts";

/** A wanted server, and what it may still be given in this exchange. */
interface Room {
  readonly want: ServerWant;
  max: number;
  used: number;
  isHeld: boolean;
}

/**
 * A ledger of a task store alone: what waits is listed and sorted anew for each exchange. Slow, and enough for tests
 * of what the store decides.
 */
export function withoutQueue(store: TaskStore): Ledger {
  return {
    capabilities: { ...store.capabilities, order: "exact", inOrder: false },
    submit: (batch, options) => store.insert(batch, options),
    async exchange({ want, ...rest }, options) {
      const applied = await store.apply({ ...rest, servers: want.map(({ server }) => server) }, options);
      const { nowMs, settled, renewed, orphanHolds } = applied;
      const claimed = applied.repeated ? [] : await claimWaiting(store, { ...rest, want }, applied, options);
      const grants = [...applied.grants, ...claimed];
      return { sequence: rest.sequence, nowMs, settled, renewed, grants, orphanHolds };
    },
    get: (ids, options) => store.get(ids, options),
    list: (request, options) => store.list(request, options),
    amend: (batch, options) => store.amend(batch, options),
    sweep: (request, options) => store.sweep(request, options),
    stats: (options) => store.stats(options),
    close: () => store.close(),
  };
}

/** Claims what waits, lowest rank first and one by one, as long as there is room. */
async function claimWaiting(
  store: TaskStore,
  request: ExchangeRequest,
  { used, held }: ApplyReply,
  options: OperationOptions | undefined,
): Promise<Grant[]> {
  const rooms = request.want.map((want): Room => {
    return { want, max: want.max, used: used[want.server] ?? 0, isHeld: held.includes(want.server) };
  });
  const models = new Set(request.want.flatMap((want) => want.models));
  const { runner, incarnation, sequence, leaseMs } = request;
  const grants: Grant[] = [];
  const waiting = rooms.some(({ max, want }) => max > 0 || want.background)
    ? await listWaiting(store, models, options)
    : [];
  for (const { id, model, background } of waiting) {
    const fit = rooms.filter((room) => room.want.models.includes(model) && hasRoom(room, background));
    const servers = fit
      .sort(byLoad)
      .map(({ want: { server, instance, limit } }) => ({ server, instance, limit }));
    if (servers.length === 0) continue;
    const claims = [{ id, servers }];
    const [outcome] = await store.claim({ runner, incarnation, sequence, leaseMs, claims }, options);
    if (outcome?.outcome === "full") for (const room of fit) take(room, background, room.max);
    if (outcome?.outcome !== "granted") continue;
    grants.push(outcome.grant);
    for (const room of rooms) if (room.want.server === outcome.grant.server) take(room, background, 1);
  }
  return grants;
}

async function listWaiting(
  store: TaskStore,
  models: ReadonlySet<string>,
  options: OperationOptions | undefined,
): Promise<TaskRecord[]> {
  const waiting: TaskRecord[] = [];
  let cursor: string | undefined;
  do {
    const page = await store.list({ filter: { states: ["pending"] }, cursor, limit: 1000 }, options);
    waiting.push(...page.items.filter(({ model }) => models.has(model)));
    cursor = page.nextCursor;
  } while (cursor !== undefined);
  return waiting.sort((a, b) => a.rank - b.rank || (a.id < b.id ? -1 : 1));
}

function hasRoom({ want, max, isHeld }: Room, background: boolean): boolean {
  return background ? want.background && !isHeld : max > 0;
}

function take(room: Room, background: boolean, slots: number): void {
  if (background) room.isHeld = true;
  else {
    room.used += slots;
    room.max -= slots;
  }
}

function byLoad(a: Room, b: Room): number {
  return a.used / a.want.limit - b.used / b.want.limit || a.want.cost - b.want.cost;
}
