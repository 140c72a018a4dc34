import type { ExchangeOutcome, Settlement } from "../../../../src/contracts/ledger.ts";
import type { TaskRecord } from "../../../../src/contracts/task.ts";
import type { LedgerFault } from "../../ledger-fixtures.ts";
import {
  around,
  type BrokenLedger,
  countingMore,
  eachClient,
  nextTurn,
  settles,
  tasksIn,
  tells,
  told,
} from "./tools.ts";

const LATE =
  "who was away longer than its lease comes too late: it is told who holds the task and changes nothing";

/** Answers some of what is stale as if it had been done, and shows what it would have done. */
function acceptingStale(
  isAccepted: (item: Settlement, outcome: ExchangeOutcome & { outcome: "stale" }) => boolean,
): LedgerFault {
  return () => {
    const overwritten = new Map<string, TaskRecord["state"]>();
    return (client) =>
      told(
        around(client, async (request, next) => {
          const reply = await next(request);
          const settled = reply.settled.map((outcome, at): ExchangeOutcome => {
            const item = request.settle[at];
            if (outcome.outcome !== "stale" || item === undefined || !isAccepted(item, outcome))
              return outcome;
            if (item.kind === "succeeded" || item.kind === "failed") overwritten.set(item.id, item.kind);
            return { outcome: "accepted" };
          });
          return { ...reply, settled };
        }),
        (task) => ({ ...task, state: overwritten.get(task.id) ?? task.state }),
      );
  };
}

export const settling: readonly BrokenLedger[] = [
  {
    fault: "Whoever once held a task may settle it.",
    caughtBy: LATE,
    plant: eachClient((client) =>
      around(client, async (request, next) => {
        const tasks = await client.get(request.settle.map(({ id }) => id));
        const settle = request.settle.map((item, at) => {
          const attempt = tasks[at]?.attempt ?? 0;
          return item.attempt < attempt ? { ...item, attempt } : item;
        });
        return await next({ ...request, settle });
      }),
    ),
  },
  {
    fault: "Whoever once held a task may renew it.",
    caughtBy: LATE,
    plant: eachClient((client) =>
      around(client, async (request, next) => {
        const tasks = await client.get(request.renew.map(({ id }) => id));
        const renew = request.renew.map((item, at) => {
          const attempt = tasks[at]?.attempt ?? 0;
          return item.attempt < attempt ? { ...item, attempt } : item;
        });
        return await next({ ...request, renew });
      }),
    ),
  },
  {
    fault: "What is stale is not told who holds the task.",
    caughtBy: LATE,
    plant: eachClient((client) =>
      around(client, async (request, next) => {
        const reply = await next(request);
        const settled = reply.settled.map((outcome, at): ExchangeOutcome => {
          const attempt = request.settle[at]?.attempt ?? 0;
          return outcome.outcome === "stale" && outcome.attempt > attempt ? { ...outcome, attempt } : outcome;
        });
        return { ...reply, settled };
      }),
    ),
  },
  {
    fault: "Only the number of an attempt is compared, not whether it still holds the task.",
    caughtBy: "a task that was taken back is no more its holder's, even if nobody else has been granted it",
    plant: acceptingStale((item, { attempt, state }) => item.attempt === attempt && state === "pending"),
  },
  {
    fault: "Each report of a sending sets its time anew.",
    caughtBy: "what was sent is kept with its server, and when it was first said",
    plant: ({ clock }) => {
      const sentAt = new Map<string, number>();
      return (client) =>
        told(
          around(client, (request, next) => {
            for (const item of request.settle) if (item.kind === "sent") sentAt.set(item.id, clock.now());
            return next(request);
          }),
          (task) => ({
            ...task,
            sentAtMs: task.sentAtMs === undefined ? undefined : (sentAt.get(task.id) ?? task.sentAtMs),
          }),
        );
    },
  },
  {
    fault: "A task that runs at its server keeps its slot.",
    caughtBy: "a task that runs at its server has freed its slot and keeps the run's name",
    plant: countingMore(async (client, server, { settle }) => {
      const starts = settle.filter(({ kind }) => kind === "running").map(({ id }) => id);
      const started = await client.get(starts);
      const run = await tasksIn(client, "running");
      const inSlots = [...run.filter(({ holder }) => holder !== undefined), ...started];
      return inSlots.filter((task) => task?.server === server && !task.background).length;
    }),
  },
  {
    fault: "An ending carries the time of another clock.",
    caughtBy: "success ends the task with its result",
    plant: tells((task) => {
      if (task.state !== "succeeded") return task;
      return { ...task, finishedAtMs: (task.finishedAtMs ?? 0) + 1 };
    }),
  },
  {
    fault: "The state changes before the result is there.",
    caughtBy: "whoever sees that a task has succeeded can read its result",
    plant: () => {
      const unwritten = new Set<string>();
      return (client) => ({
        ...client,
        exchange: async (request, options) => {
          const ids = request.settle.filter(({ kind }) => kind === "succeeded").map(({ id }) => id);
          for (const id of ids) unwritten.add(id);
          const reply = await client.exchange(request, options);
          if (ids.length > 0) for (let turn = 0; turn < 3; turn += 1) await nextTurn();
          for (const id of ids) unwritten.delete(id);
          return reply;
        },
        get: async (ids, options) =>
          (await client.get(ids, options)).map((task) => {
            if (task?.result === undefined || !unwritten.has(task.id)) return task;
            return { ...task, result: { ...task.result, inline: undefined } };
          }),
      });
    },
  },
  {
    fault: "The answer of a server that refused is thrown away.",
    caughtBy: "failure ends the task with its error, and with the server's answer where there was one",
    plant: settles((item) => (item.kind === "failed" ? { ...item, result: undefined } : item)),
  },
  {
    fault: "A cancel by the holder is told as one by the ledger.",
    caughtBy: "cancelled by its holder, a task ends so",
    plant: tells((task) => (task.state === "cancelled" ? { ...task, endedBy: "ledger" } : task)),
  },
  {
    fault: "The same settlement again is stale.",
    caughtBy: "the same settlement again is accepted and changes nothing",
    plant: () => {
      const seen = new Map<string, number>();
      return (client) =>
        around(client, async (request, next) => {
          const reply = await next(request);
          const settled = reply.settled.map((outcome, at): ExchangeOutcome => {
            const item = request.settle[at];
            const name = JSON.stringify([item?.id, item?.attempt, item?.kind]);
            const isRepeated = (seen.get(name) ?? request.sequence) < request.sequence;
            seen.set(name, request.sequence);
            if (!isRepeated || item === undefined || outcome.outcome !== "accepted") return outcome;
            return { outcome: "stale", attempt: item.attempt, state: "succeeded" };
          });
          return { ...reply, settled };
        });
    },
  },
  {
    fault: "A later settlement of the same attempt overwrites the ending.",
    caughtBy: "an ending never changes, whatever its own attempt says afterwards",
    plant: acceptingStale((item, { attempt, state }) => {
      return item.attempt === attempt && state !== "pending" && state !== "scheduled";
    }),
  },
  {
    fault: "What belongs to no task is left out of the outcomes.",
    caughtBy: "each settlement and renewal gets its own outcome, in order, also for what is not there",
    plant: eachClient((client) =>
      around(client, async (request, next) => {
        const reply = await next(request);
        return { ...reply, settled: reply.settled.filter(({ outcome }) => outcome !== "unknown") };
      }),
    ),
  },
];
