import { around, type BrokenLedger, eachClient, settles, told } from "./tools.ts";

/** The longest delay that this one keeps to. */
const LONGEST_MS = 30;

export const returning: readonly BrokenLedger[] = [
  {
    fault: "Who is handed back queues up behind all others.",
    caughtBy: "a task that is handed back keeps its rank",
    plant:
      ({ clock }) =>
      (client) =>
        around(client, async (request, next) => {
          const reply = await next(request);
          const ids = request.settle.filter(({ kind }) => kind === "returned").map(({ id }) => id);
          for (const task of await client.get(ids)) {
            if (task?.state !== "pending") continue;
            const boostMs = (task.createdAtMs - clock.now()) / task.priority;
            await client.amend([{ kind: "reprioritise", id: task.id, priority: task.priority, boostMs }]);
          }
          return reply;
        }),
  },
  {
    fault: "To be handed back always counts.",
    caughtBy: "to be handed back without counting is no failure, however often, and leaves its reason",
    plant: settles((item) => (item.kind === "returned" ? { ...item, counts: true } : item)),
  },
  {
    fault: "There is no last failure.",
    caughtBy: "counted failures add up, and the last one that is allowed ends the task",
    plant: eachClient((client) =>
      around(client, async (request, next) => {
        const tasks = await client.get(request.settle.map(({ id }) => id));
        const settle = request.settle.map((item, at) => {
          const task = tasks[at];
          const isLast = task !== undefined && task.failures + 1 >= task.maxFailures;
          return item.kind === "returned" && isLast ? { ...item, counts: false } : item;
        });
        return await next({ ...request, settle });
      }),
    ),
  },
  {
    fault: "Long delays are cut.",
    caughtBy: "a task that is handed back with a delay is granted after it, and not before",
    plant: settles((item) => {
      return item.kind === "returned" ? { ...item, delayMs: Math.min(item.delayMs, LONGEST_MS) } : item;
    }),
  },
  {
    fault: "A requested cancel is forgotten when the task is handed back.",
    caughtBy: "a task whose cancel was requested ends when its holder lets go of it",
    plant: () => {
      const forgotten = new Set<string>();
      return (client) =>
        told(
          around(client, async (request, next) => {
            const ids = request.settle.filter(({ kind }) => kind === "returned").map(({ id }) => id);
            for (const task of await client.get(ids))
              if (task?.holder !== undefined && task.cancelRequestedAtMs !== undefined)
                forgotten.add(task.id);
            return await next(request);
          }),
          (task) => (forgotten.has(task.id) ? { ...task, state: "pending" } : task),
        );
    },
  },
  {
    fault: "A requested cancel wins over the result that comes after it.",
    caughtBy: "the holder of a task whose cancel was requested may still end it otherwise",
    plant: eachClient((client) =>
      around(client, async (request, next) => {
        const tasks = await client.get(request.settle.map(({ id }) => id));
        const settle = request.settle.map((item, at) => {
          const isWanted = tasks[at]?.cancelRequestedAtMs !== undefined && item.kind === "succeeded";
          const { id, attempt } = item;
          return isWanted ? ({ id, attempt, kind: "cancelled", releaseHold: true } as const) : item;
        });
        return await next({ ...request, settle });
      }),
    ),
  },
];
