import type {
  ExchangeReply,
  ExchangeRequest,
  Grant,
  Ledger,
  NewTask,
  ServerWant,
  Settlement,
} from "../../../../src/contracts/ledger.ts";
import type { TaskRecord } from "../../../../src/contracts/task.ts";
import type { LedgerFault } from "../../ledger-fixtures.ts";
import type { Broken } from "../failures.ts";

export type BrokenLedger = Broken<LedgerFault>;

/** A fault that needs to know nothing of the backend. */
export function eachClient(change: (client: Ledger) => Ledger): LedgerFault {
  return () => (client) => change(client);
}

/** Tasks are kept otherwise than they were given. */
export function keepsOtherwise(change: (task: NewTask) => NewTask): LedgerFault {
  return eachClient((client) => ({
    ...client,
    submit: (batch, options) => client.submit(batch.map(change), options),
  }));
}

/** Every record is told otherwise than it is. */
export function told(client: Ledger, change: (task: TaskRecord) => TaskRecord): Ledger {
  return {
    ...client,
    submit: async (batch, options) =>
      (await client.submit(batch, options)).map((item) => {
        return item.outcome === "refused" ? item : { ...item, task: change(item.task) };
      }),
    exchange: async (request, options) => {
      const reply = await client.exchange(request, options);
      return { ...reply, grants: reply.grants.map((grant) => ({ ...grant, task: change(grant.task) })) };
    },
    get: async (ids, options) => (await client.get(ids, options)).map((task) => task && change(task)),
    list: async (request, options) => {
      const page = await client.list(request, options);
      return { ...page, items: page.items.map(change) };
    },
    amend: async (batch, options) =>
      (await client.amend(batch, options)).map((item) => ({ ...item, task: item.task && change(item.task) })),
    sweep: async (request, options) => {
      const reply = await client.sweep(request, options);
      return { ...reply, returned: reply.returned.map(change), ended: reply.ended.map(change) };
    },
  };
}

export function tells(change: (task: TaskRecord) => TaskRecord): LedgerFault {
  return eachClient((client) => told(client, change));
}

type Exchange = (request: ExchangeRequest) => Promise<ExchangeReply>;

/** Does something else around each exchange of a client. */
export function around(
  client: Ledger,
  exchange: (request: ExchangeRequest, next: Exchange) => Promise<ExchangeReply>,
): Ledger {
  return {
    ...client,
    exchange: (request, options) => exchange(request, (changed) => client.exchange(changed, options)),
  };
}

export function exchanges(change: (request: ExchangeRequest) => ExchangeRequest): LedgerFault {
  return eachClient((client) => around(client, async (request, next) => next(change(request))));
}

export function settles(change: (item: Settlement) => Settlement): LedgerFault {
  return exchanges((request) => ({ ...request, settle: request.settle.map(change) }));
}

export function wants(change: (want: ServerWant) => ServerWant): LedgerFault {
  return exchanges((request) => ({ ...request, want: request.want.map(change) }));
}

const GHOST = "~";

/** Background work is let onto these servers as if nothing held them. */
export function ignoringHolds(
  client: Ledger,
  isFree: (server: string) => Promise<boolean> | boolean,
  ghost: string = GHOST,
): Ledger {
  return around(client, async (request, next) => {
    const want: ServerWant[] = [];
    for (const each of request.want) {
      if (each.background && (await isFree(each.server)))
        want.push({ ...each, background: false }, { ...each, server: `${each.server}${ghost}`, max: 0 });
      else want.push(each);
    }
    const reply = await next({ ...request, want });
    return { ...reply, grants: reply.grants.map((grant) => renamed(grant, ghost)) };
  });
}

/** The grant under the server's own name. */
export function renamed(grant: Grant, ghost: string = GHOST): Grant {
  const server = grant.server.split(ghost)[0] ?? grant.server;
  return { ...grant, server, task: { ...grant.task, server } };
}

/** A server is taken for fuller than it is. */
export function countingMore(
  more: (client: Ledger, server: string, request: ExchangeRequest) => Promise<number> | number,
): LedgerFault {
  return eachClient((client) =>
    around(client, async (request, next) => {
      const want: ServerWant[] = [];
      for (const each of request.want)
        want.push({ ...each, limit: Math.max(0, each.limit - (await more(client, each.server, request))) });
      return await next({ ...request, want });
    }),
  );
}

/** All tasks in some states. */
export async function tasksIn(
  client: Ledger,
  ...states: TaskRecord["state"][]
): Promise<readonly TaskRecord[]> {
  return (await client.list({ filter: { states }, limit: 1000 })).items;
}

/** First ranks are those of what waits and counts, by ranks that may be known otherwise. */
export function withRanks(
  client: Ledger,
  counts: (task: TaskRecord) => boolean,
  known: ReadonlyMap<string, number> = new Map(),
): Ledger {
  return {
    ...client,
    stats: async (options) => {
      const stats = await client.stats(options);
      const waiting = (await tasksIn(client, "pending")).filter(counts);
      const lanes = stats.lanes.map(({ firstRank: _, ...lane }) => {
        const tasks = waiting.filter(({ model }) => model === lane.model);
        const ranks = tasks.map(({ id, rank }) => known.get(id) ?? rank);
        return ranks.length === 0 ? lane : { ...lane, firstRank: Math.min(...ranks) };
      });
      return { ...stats, lanes };
    },
  };
}

/** Lets calls that were made at the same time get in each other's way. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
