import type { OperationOptions } from "../../../../src/contracts/common.ts";
import type { TaskRecord } from "../../../../src/contracts/task.ts";
import type {
  ApplyReply,
  ApplyRequest,
  Claim,
  ClaimRequest,
  DueListRequest,
  TaskStore,
} from "../../../../src/contracts/task-store.ts";
import { GatewayError } from "../../../../src/errors.ts";
import type { TaskStoreFault } from "../../task-store-fixtures.ts";
import type { Broken } from "../failures.ts";

const CLOSED = "a closed store rejects an apply and a claim with CLOSED";

/** Does something else with each reply of an apply. */
function applies(change: (reply: ApplyReply, request: ApplyRequest) => ApplyReply): TaskStoreFault {
  return () => (client) => ({
    ...client,
    apply: async (request, options) => change(await client.apply(request, options), request),
  });
}

/** Does something else with each claim, of background work or of other. */
function claims(background: boolean, change: (claim: Claim) => Claim): TaskStoreFault {
  return () => (client) => ({
    ...client,
    claim: async (request, options) => {
      options?.signal?.throwIfAborted();
      const tasks = await client.get(request.claims.map(({ id }) => id));
      const changed = request.claims.map((claim, at) => {
        return tasks[at]?.background === background ? change(claim) : claim;
      });
      return await client.claim({ ...request, claims: changed }, options);
    },
  });
}

function returning(
  keep: (task: TaskRecord, request: ApplyRequest, reply: ApplyReply) => boolean,
): TaskStoreFault {
  return applies((reply, request) => {
    return { ...reply, returned: reply.returned.filter((task) => keep(task, request, reply)) };
  });
}

function isSettled({ id }: TaskRecord, { settle }: ApplyRequest, kind?: string): boolean {
  return settle.some((item) => item.id === id && (kind === undefined || item.kind === kind));
}

/** Claims under whatever sequence the runner has open. */
function claimingAlways(client: TaskStore): TaskStore {
  const open = new Map<string, Pick<ApplyRequest, "sequence" | "incarnation">>();
  return {
    ...client,
    apply: async (request, options) => {
      const reply = await client.apply(request, options);
      open.set(request.runner, request);
      return reply;
    },
    claim: async (request: ClaimRequest, options?: OperationOptions) => {
      const { incarnation = request.incarnation, sequence = request.sequence } =
        open.get(request.runner) ?? {};
      const isOpen = incarnation === request.incarnation;
      return await client.claim(isOpen ? { ...request, sequence } : request, options);
    },
  };
}

/** Does something else with each list of what is due. */
function listsDue(
  change: (
    tasks: readonly TaskRecord[],
    request: DueListRequest,
    client: TaskStore,
  ) => Promise<readonly TaskRecord[]> | readonly TaskRecord[],
): TaskStoreFault {
  return () => (client) => ({
    ...client,
    list: async (request, options) => {
      const page = await client.list(request, options);
      if (request === undefined || !("due" in request)) return page;
      return { ...page, items: await change(page.items, request, client) };
    },
  });
}

export const BROKEN_TASK_STORES: readonly Broken<TaskStoreFault>[] = [
  {
    fault: "What is due is listed lane by lane.",
    caughtBy: "what is due is listed lowest rank first over its lanes, at most so many of each",
    plant: listsDue((tasks) =>
      [...tasks].sort((a, b) => (a.model < b.model ? -1 : a.model > b.model ? 1 : 0)),
    ),
  },
  {
    fault: "A page of a lane begins with the last task of the page before.",
    caughtBy: "a lane is walked by cursor in the order of its ranks, each task once",
    plant: () => {
      const last = new Map<string, TaskRecord>();
      return (client) => ({
        ...client,
        list: async (request, options) => {
          const page = await client.list(request, options);
          if (request === undefined || !("due" in request)) return page;
          const before = request.cursor === undefined ? undefined : last.get(request.cursor);
          const end = page.items.at(-1);
          if (page.nextCursor !== undefined && end !== undefined) last.set(page.nextCursor, end);
          return before === undefined ? page : { ...page, items: [before, ...page.items.slice(1)] };
        },
      });
    },
  },
  {
    fault: "What is delayed is never due again.",
    caughtBy: "what is granted, has ended or is delayed is not due, until its back-off is over",
    plant: listsDue((tasks) => tasks.filter(({ notBeforeAtMs }) => notBeforeAtMs === undefined)),
  },
  {
    fault: "A claim takes the last of its servers that has room.",
    caughtBy: "a claim takes the first of its servers that has a free slot, and is full when none has",
    plant: claims(false, ({ id, servers }) => ({ id, servers: [...servers].reverse() })),
  },
  {
    fault: "A claim of background work looks at its first server only.",
    caughtBy: "a claim of background work takes the hold of the first server that has it, and no slot",
    plant: claims(true, ({ id, servers }) => ({ id, servers: servers.slice(0, 1) })),
  },
  {
    fault: "An unknown task is told as one without room.",
    caughtBy: "a claim of what does not wait is gone: granted, ended or unknown",
    plant: () => (client) => ({
      ...client,
      claim: async (request, options) => {
        const outcomes = await client.claim(request, options);
        const tasks = await client.get(request.claims.map(({ id }) => id));
        return outcomes.map((item, at) => (tasks[at] === undefined ? { outcome: "full" } : item));
      },
    }),
  },
  {
    fault: "A delay is told as over.",
    caughtBy: "a claim that comes during a delay is told how long it lasts",
    plant: () => (client) => ({
      ...client,
      claim: async (request, options) =>
        (await client.claim(request, options)).map((item) => {
          return item.outcome === "not_yet" ? { ...item, delayMs: 0 } : item;
        }),
    }),
  },
  {
    fault: "A claim counts under any sequence.",
    caughtBy:
      "a claim counts only under the sequence that its runner applied last, else it is stale and takes nothing",
    plant: () => claimingAlways,
  },
  {
    fault: "What was abandoned unsent is not named.",
    caughtBy: "what waits again because of an apply is named by its reply",
    plant: returning((task, request) => !isSettled(task, request, "abandoned")),
  },
  {
    fault: "A repeated apply names nothing.",
    caughtBy: "a repeated apply names again what it handed back and still waits",
    plant: returning((_task, _request, { repeated }) => !repeated),
  },
  {
    fault: "Only what was settled is named.",
    caughtBy:
      "grants whose reply was lost, and those of an earlier incarnation, are named when they wait again",
    plant: returning((task, request) => isSettled(task, request)),
  },
  {
    fault: "No slot is ever in use.",
    caughtBy: "the load of the servers that are asked for is told: slots in use, holds, and orphan holds",
    plant: applies((reply) => {
      return { ...reply, used: Object.fromEntries(Object.keys(reply.used).map((server) => [server, 0])) };
    }),
  },
  {
    fault: "Only orphan holds are told.",
    caughtBy: "the load of the servers that are asked for is told: slots in use, holds, and orphan holds",
    plant: applies((reply) => ({ ...reply, held: reply.orphanHolds.map(({ server }) => server) })),
  },
  {
    fault: "A claim does not look at its signal.",
    caughtBy:
      "an apply or a claim whose signal was aborted before rejects with the signal's reason, and does nothing",
    plant: () => (client) => ({ ...client, claim: (request) => client.claim(request) }),
  },
  {
    fault: "A closed store still claims.",
    caughtBy: CLOSED,
    plant: (backend) => (client) => ({
      ...client,
      claim: (request, options) => backend.claim(request, options),
    }),
  },
  {
    fault: "Slots are counted before the transaction that claims.",
    caughtBy: "a server's limit holds over all runners and clients, also when they all ask at once",
    plant: () => {
      let claiming = 0;
      return (client) => ({
        ...client,
        claim: async (request, options) => {
          claiming += 1;
          await new Promise((resolve) => setImmediate(resolve));
          const limit = claiming;
          const loosened = request.claims.map(({ id, servers }) => {
            return { id, servers: servers.map((each) => ({ ...each, limit: each.limit * limit })) };
          });
          return await client.claim({ ...request, claims: loosened }, options).finally(() => {
            claiming -= 1;
          });
        },
      });
    },
  },
  {
    fault: "A bad item makes the whole batch fail.",
    caughtBy: "a bad item of a batch is refused alone, and nothing of it is kept",
    plant: () => (client) => ({
      ...client,
      insert: async (batch, options) => {
        if (batch.some(({ priority }) => !Number.isInteger(priority)))
          throw new GatewayError("ADAPTER_FAILED", "invalid input syntax for type integer");
        return await client.insert(batch, options);
      },
    }),
  },
];
