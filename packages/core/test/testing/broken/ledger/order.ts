import type { Ledger, ServerWant } from "../../../../src/contracts/ledger.ts";
import { around, type BrokenLedger, eachClient, exchanges, keepsOtherwise, tasksIn, told } from "./tools.ts";

/** Far less than a rank, and enough to decide between two. */
const LITTLE = 1e-3;

/** Whether the first of all tasks that are wanted waits for a server without a slot. */
async function isHeadBlocked(client: Ledger, want: readonly ServerWant[]): Promise<boolean> {
  const models = new Set(want.flatMap((each) => each.models));
  const waiting = (await tasksIn(client, "pending")).filter(({ model, background }) => {
    return models.has(model) && !background;
  });
  const [first] = [...waiting].sort((a, b) => a.rank - b.rank);
  if (first === undefined) return false;
  const held = await tasksIn(client, "scheduled");
  const isFull = ({ server, limit }: ServerWant) =>
    held.filter((task) => task.server === server).length >= limit;
  return want.filter(({ models: served }) => served.includes(first.model)).every(isFull);
}

export const order: readonly BrokenLedger[] = [
  {
    fault: "Priority does not count.",
    caughtBy: "the lowest rank of a lane goes first, and a rank is createdAtMs − priority × boostMs",
    plant: keepsOtherwise((task) => ({ ...task, boostMs: Number.isFinite(task.boostMs) ? 0 : task.boostMs })),
  },
  {
    fault: "Priority does not count for a band either.",
    caughtBy: "with an order by bands, the most urgent task goes before the least urgent of the same age",
    order: "bands",
    plant: keepsOtherwise((task) => ({ ...task, boostMs: 0 })),
  },
  {
    fault: "Tasks of one rank go in the order in which they came.",
    caughtBy: "tasks of one rank go in the order of their ids",
    plant: () => {
      let accepted = 0;
      return (client) =>
        told(
          {
            ...client,
            stats: async (options) => {
              const { lanes, ...counts } = await client.stats(options);
              const rounded = lanes.map((lane) => {
                return lane.firstRank === undefined
                  ? lane
                  : { ...lane, firstRank: Math.round(lane.firstRank) };
              });
              return { ...counts, lanes: rounded };
            },
            submit: (batch, options) =>
              client.submit(
                batch.map((task) => {
                  accepted += 1;
                  if (task.priority === 0) return task;
                  return { ...task, boostMs: task.boostMs - (accepted * LITTLE) / task.priority };
                }),
                options,
              ),
          },
          (task) => ({ ...task, rank: Math.round(task.rank) }),
        );
    },
  },
  {
    fault: "Lanes are gone through in the order in which they are named.",
    caughtBy: "the lowest rank of all lanes of a server goes first",
    plant: eachClient((client) =>
      around(client, async (request, next) => {
        const [only] = request.want;
        if (request.want.length !== 1 || only?.max !== 1) return await next(request);
        const { lanes } = await client.stats();
        const first = only.models.find((model) => lanes.some((lane) => lane.model === model));
        return await next({ ...request, want: [{ ...only, models: first === undefined ? [] : [first] }] });
      }),
    ),
  },
  {
    fault: "A server that is the only one of a lane is kept for that lane.",
    caughtBy: "the lowest rank goes first also among lanes that share some of their servers",
    plant: exchanges((request) => {
      const count = (model: string) => request.want.filter(({ models }) => models.includes(model)).length;
      const want = request.want.map((each) => {
        const own = each.models.filter((model) => count(model) === 1);
        return own.length > 0 ? { ...each, models: own } : each;
      });
      return { ...request, want };
    }),
  },
  {
    fault: "The first task holds up all others while its server is full.",
    caughtBy: "a lane without a free slot holds up no other",
    plant: eachClient((client) =>
      around(client, async (request, next) => {
        const isChoice = request.want.length > 1 && request.settle.length === 0;
        const isBlocked = isChoice && (await isHeadBlocked(client, request.want));
        return await next(isBlocked ? { ...request, want: [] } : request);
      }),
    ),
  },
];
