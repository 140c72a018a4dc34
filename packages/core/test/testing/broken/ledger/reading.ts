import type { Ledger, ListRequest } from "../../../../src/contracts/ledger.ts";
import type { TaskRecord } from "../../../../src/contracts/task.ts";
import { GatewayError } from "../../../../src/errors.ts";
import type { LedgerFault } from "../../ledger-fixtures.ts";
import { type BrokenLedger, eachClient, withRanks } from "./tools.ts";

function lists(list: (client: Ledger, request: ListRequest) => ReturnType<Ledger["list"]>): LedgerFault {
  return eachClient((client) => ({
    ...client,
    list: async (request = {}, options) => {
      options?.signal?.throwIfAborted();
      return await list(client, request);
    },
  }));
}

/** Everything from the newest on, in one go. */
async function allOf(client: Ledger, filter: ListRequest["filter"]): Promise<TaskRecord[]> {
  const items: TaskRecord[] = [];
  let cursor: string | undefined;
  do {
    const page = await client.list({ filter, cursor, limit: 1000 });
    items.push(...page.items);
    cursor = page.nextCursor;
  } while (cursor !== undefined);
  return items;
}

const FIRST_RANK =
  "a lane tells the lowest rank of what could be granted next, and none while all of it is delayed";

function ranks(counts: (task: TaskRecord, nowMs: number) => boolean): LedgerFault {
  return ({ clock }) => {
    return (client) => withRanks(client, (task) => counts(task, clock.now()));
  };
}

const OFFSET = /^offset-(\d+)$/;

export const reading: readonly BrokenLedger[] = [
  {
    fault: "An id that is asked for twice is given once.",
    caughtBy: "tasks are given in the order asked for, an unknown one as undefined",
    plant: eachClient((client) => ({
      ...client,
      get: async (ids, options) => {
        const tasks = await client.get(ids, options);
        return tasks.map((task, at) => (ids.indexOf(ids[at] ?? "") === at ? task : undefined));
      },
    })),
  },
  {
    fault: "Bytes come with every item of a listing.",
    caughtBy: "inline bytes come only with a record that is asked for them",
    plant: lists(async (client, request) => {
      const page = await client.list(request);
      const found = await client.get(
        page.items.map(({ id }) => id),
        { bodies: "payload" },
      );
      return { ...page, items: found.filter((task) => task !== undefined) };
    }),
  },
  {
    fault: "Within a page, tasks of one instant come in the order of their ids.",
    caughtBy: "a listing goes from the newest to the oldest, those of one instant by id",
    plant: lists(async (client, request) => {
      const page = await client.list(request);
      const items = [...page.items].sort((a, b) => b.createdAtMs - a.createdAtMs || (a.id < b.id ? -1 : 1));
      return { ...page, items };
    }),
  },
  {
    fault: "Owners are compared without regard to case.",
    caughtBy: "each filter of a listing holds exactly, and all of them together",
    plant: lists(async (client, request) => {
      const { owner, ...filter } = request.filter ?? {};
      if (owner === undefined) return await client.list(request);
      const items = await allOf(client, filter);
      return { items: items.filter((task) => task.owner.toLowerCase() === owner.toLowerCase()) };
    }),
  },
  {
    fault: "The end of a range of time is part of it.",
    caughtBy: "each filter of a listing holds exactly, and all of them together",
    plant: lists((client, request) => {
      const { createdBeforeMs = Number.POSITIVE_INFINITY } = request.filter ?? {};
      return client.list({ ...request, filter: { ...request.filter, createdBeforeMs: createdBeforeMs + 1 } });
    }),
  },
  {
    fault: "A limit that is out of range is cut to the range.",
    caughtBy: "a page has 1 to 1000 items, 100 unless it is told",
    plant: lists((client, request) => {
      const { limit = 100 } = request;
      return client.list({ ...request, limit: Math.min(1000, Math.max(1, Math.floor(limit) || 1)) });
    }),
  },
  {
    fault: "A cursor that makes no sense begins anew.",
    caughtBy: "a cursor that no listing gave is an INVALID_REQUEST",
    plant: lists(async (client, request) => {
      try {
        return await client.list(request);
      } catch (error) {
        if (!GatewayError.is(error) || error.details["field"] !== "cursor") throw error;
        return await client.list({ ...request, cursor: undefined });
      }
    }),
  },
  {
    fault: "A cursor counts rows, so that others' writes move it.",
    caughtBy:
      "a walk by cursor meets each task that is there all the while exactly once, whatever others write",
    plant: lists(async (client, request) => {
      const { cursor, limit = 100, filter } = request;
      const from = cursor === undefined ? undefined : OFFSET.exec(cursor);
      if (cursor !== undefined && !from) throw new GatewayError("INVALID_REQUEST", "bad cursor");
      if (!(Number.isInteger(limit) && limit >= 1 && limit <= 1000)) return await client.list(request);
      const start = Number(from?.[1] ?? 0);
      const items = await allOf(client, filter);
      const page = items.slice(start, start + limit);
      return {
        items: page,
        nextCursor: start + limit < items.length ? `offset-${start + limit}` : undefined,
      };
    }),
  },
  {
    fault: "The first rank of a lane counts what is delayed.",
    caughtBy: FIRST_RANK,
    plant: ranks(() => true),
  },
  {
    fault: "The first rank of a lane knows no background work.",
    caughtBy: FIRST_RANK,
    plant: ranks(({ background, notBeforeAtMs = 0 }, nowMs) => !background && notBeforeAtMs <= nowMs),
  },
  {
    fault: "What was delayed counts for the first rank only once an exchange has looked at it.",
    caughtBy: FIRST_RANK,
    plant: ranks(({ notBeforeAtMs }) => notBeforeAtMs === undefined),
  },
  {
    fault: "A new priority changes no first rank.",
    caughtBy: FIRST_RANK,
    plant: ({ clock }) => {
      const first = new Map<string, number>();
      return (client) => ({
        ...withRanks(client, ({ notBeforeAtMs = 0 }) => notBeforeAtMs <= clock.now(), first),
        submit: async (batch, options) => {
          const outcomes = await client.submit(batch, options);
          for (const item of outcomes)
            if (item.outcome === "accepted") first.set(item.task.id, item.task.rank);
          return outcomes;
        },
      });
    },
  },
  {
    fault: "The bytes of what waits are those of what was ever submitted.",
    caughtBy: "the counts of lanes and of held tasks are exact after every change",
    plant: () => {
      const bytes = new Map<string, number>();
      return (client) => ({
        ...client,
        submit: (batch, options) => {
          for (const { model, payload } of batch)
            bytes.set(model, (bytes.get(model) ?? 0) + payload.sizeBytes);
          return client.submit(batch, options);
        },
        stats: async (options) => {
          const stats = await client.stats(options);
          const lanes = stats.lanes.map((lane) => ({ ...lane, waitingBytes: bytes.get(lane.model) ?? 0 }));
          return { ...stats, lanes };
        },
      });
    },
  },
];
