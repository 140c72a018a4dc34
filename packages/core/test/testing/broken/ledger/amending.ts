import type { AmendOutcome } from "../../../../src/contracts/ledger.ts";
import type { TaskRecord } from "../../../../src/contracts/task.ts";
import { around, type BrokenLedger, eachClient, nextTurn, tells, told, withRanks } from "./tools.ts";

const NEW_PLACE = "a new priority gives a waiting task a new rank and the place that goes with it";

export const amending: readonly BrokenLedger[] = [
  {
    fault: "A waiting task that is cancelled is told as ended by an attempt.",
    caughtBy: "a waiting task that is cancelled ends at once and is not granted any more",
    plant: tells((task) => {
      return task.state === "cancelled" && task.attempt === 0 ? { ...task, endedBy: "attempt" } : task;
    }),
  },
  {
    fault: "The holder is told of a cancel by renewals only.",
    caughtBy: "the holder of a task is told by each exchange that somebody wants it cancelled",
    plant: eachClient((client) =>
      around(client, async (request, next) => {
        const reply = await next(request);
        const settled = reply.settled.map((item) => {
          return item.outcome === "cancel_requested" ? ({ outcome: "accepted" } as const) : item;
        });
        return { ...reply, settled };
      }),
    ),
  },
  {
    fault: "The cancel of an ended task is told as done.",
    caughtBy: "what has ended is too late to be amended, and stays as it is",
    plant: eachClient((client) => ({
      ...client,
      amend: async (batch, options) => {
        const amended = await client.amend(batch, options);
        return amended.map((item, at) => {
          return batch[at]?.kind === "cancel" && item.outcome === "too_late"
            ? { ...item, outcome: "done" }
            : item;
        });
      },
    })),
  },
  {
    fault: "A task that has started takes a new priority.",
    caughtBy: "a new priority comes too late once the task has started",
    plant: () => {
      const priorities = new Map<string, number>();
      return (client) => {
        const telling = told(client, (task) => ({
          ...task,
          priority: priorities.get(task.id) ?? task.priority,
        }));
        return {
          ...telling,
          amend: async (batch, options) => {
            const amended = await telling.amend(batch, options);
            return amended.map((item, at): AmendOutcome => {
              const wish = batch[at];
              if (wish?.kind !== "reprioritise" || item.task?.state !== "scheduled") return item;
              priorities.set(wish.id, wish.priority);
              return { ...item, outcome: "done" };
            });
          },
        };
      };
    },
  },
  {
    fault: "What belongs to no task is left out of the outcomes.",
    caughtBy: "each amendment gets its outcome, in order, also for a task that is not there",
    plant: eachClient((client) => ({
      ...client,
      amend: async (batch, options) =>
        (await client.amend(batch, options)).filter(({ outcome }) => outcome !== "unknown"),
    })),
  },
  {
    fault: "A new priority is told, and the task keeps its place.",
    caughtBy: NEW_PLACE,
    plant: ({ clock }) => {
      const changed = new Map<string, Pick<TaskRecord, "priority" | "rank">>();
      return (client) => {
        const telling = told(client, (task) => ({ ...task, ...changed.get(task.id) }));
        return {
          ...withRanks(telling, ({ notBeforeAtMs = 0 }) => notBeforeAtMs <= clock.now()),
          amend: async (batch, options) => {
            const tasks = await client.get(batch.map(({ id }) => id));
            const kept = batch.map((wish, at) => {
              const task = tasks[at];
              if (wish.kind === "cancel" || task?.state !== "pending") return wish;
              const { id, priority, boostMs } = wish;
              changed.set(id, { priority, rank: task.createdAtMs - priority * boostMs });
              const boost = (task.createdAtMs - task.rank) / task.priority;
              return { ...wish, priority: task.priority, boostMs: boost };
            });
            return await telling.amend(kept, options);
          },
        };
      };
    },
  },
  {
    fault: "A new priority is worth something else than it was told.",
    caughtBy: NEW_PLACE,
    plant: eachClient((client) => ({
      ...client,
      amend: (batch, options) =>
        client.amend(
          batch.map((wish) => {
            return wish.kind === "reprioritise" && wish.boostMs === 1e6
              ? { ...wish, boostMs: 3_600_000 }
              : wish;
          }),
          options,
        ),
    })),
  },
  {
    fault: "A new priority ends the delay.",
    caughtBy: "a new priority does not end the delay of a task that was handed back",
    plant: () => {
      const ready = new Set<TaskRecord>();
      return (client) => ({
        ...around(client, async (request, next) => {
          const reply = await next(request);
          const [want] = request.want;
          if (want === undefined) return reply;
          const early = [...ready].map((task) => {
            return { kind: "run", attempt: task.attempt + 1, server: want.server, task } as const;
          });
          return { ...reply, grants: [...reply.grants, ...early] };
        }),
        amend: async (batch, options) => {
          const amended = await client.amend(batch, options);
          for (const [at, { task }] of amended.entries())
            if (batch[at]?.kind === "reprioritise" && task?.notBeforeAtMs !== undefined) ready.add(task);
          return amended;
        },
      });
    },
  },
  {
    fault: "A cancel that is asked for again is as old as the last time.",
    caughtBy: "an amendment that is repeated changes nothing more",
    plant: ({ clock }) => {
      const requested = new Map<string, number>();
      return (client) => {
        const telling = told(client, (task) => {
          const isWanted = task.cancelRequestedAtMs !== undefined;
          return isWanted ? { ...task, cancelRequestedAtMs: requested.get(task.id) } : task;
        });
        return {
          ...telling,
          amend: (batch, options) => {
            for (const { id, kind } of batch) if (kind === "cancel") requested.set(id, clock.now());
            return telling.amend(batch, options);
          },
        };
      };
    },
  },
  {
    fault: "A cancel that meets a grant is told as done.",
    caughtBy:
      "a task that is cancelled while it is granted either was granted before and goes on, or never is",
    plant: () => {
      let granting = 0;
      return (client) => ({
        ...around(client, async (request, next) => {
          granting += 1;
          const reply = await next(request);
          await nextTurn();
          granting -= 1;
          return reply;
        }),
        amend: async (batch, options) => {
          const isRace = granting > 0;
          const amended = await client.amend(batch, options);
          return amended.map((item) => {
            return isRace && item.outcome === "requested" ? { ...item, outcome: "done" } : item;
          });
        },
      });
    },
  },
];
