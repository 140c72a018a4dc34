import type { Delivery } from "../../../../src/contracts/queue.ts";
import type { QueueFault } from "../../queue-fixtures.ts";
import { type BrokenQueue, eachClient, nextTurn, settles, takes } from "./tools.ts";

/** The longest that one of these keeps a delivery out of sight. */
const LONGEST_MS = 100;
const BEHIND_ALL = 1e14;

/** Receipts are made of something else than the backend makes them of. */
function receiptsOf(
  nameOf: (delivery: Delivery, deliveries: number, incarnation: string) => string,
): QueueFault {
  return () => {
    const receipts = new Map<string, string>();
    const counts = new Map<string, number>();
    return (client) => ({
      ...client,
      take: async (request, options) => {
        const deliveries = await client.take(request, options);
        const incarnation = await client.incarnation();
        return deliveries.map((each) => {
          const count = (counts.get(`${incarnation} ${each.id}`) ?? 0) + 1;
          counts.set(`${incarnation} ${each.id}`, count);
          const receipt = nameOf(each, count, incarnation);
          receipts.set(receipt, each.receipt);
          return { ...each, receipt };
        });
      },
      settle: (batch, options) =>
        client.settle(
          batch.map((item) => ({ ...item, receipt: receipts.get(item.receipt) ?? "unknown" })),
          options,
        ),
    });
  };
}

export const delivering: readonly BrokenQueue[] = [
  {
    fault: "A delivery comes into sight again before its time.",
    caughtBy: "an entry that was handed out is out of sight until its time is over, and then comes again",
    plant: takes((request) => ({ ...request, visibilityMs: Math.min(LONGEST_MS, request.visibilityMs) })),
  },
  {
    fault: "Two that take at the same time are handed the same entries.",
    caughtBy: "an entry that was handed out is handed out to nobody else at the same time",
    plant: () => {
      let taking = 0;
      let latest: readonly Delivery[] = [];
      return (client) => ({
        ...client,
        take: async (request, options) => {
          taking += 1;
          await nextTurn();
          const isRace = taking > 1;
          const deliveries = await client.take(request, options).finally(() => {
            taking -= 1;
          });
          const again = isRace ? latest : [];
          latest = deliveries;
          return [...deliveries, ...again];
        },
      });
    },
  },
  {
    fault: "A delivery that is done with is only forgotten by its taker.",
    caughtBy: "a delivery that is done with never comes again",
    plant: eachClient((client) => ({
      ...client,
      settle: async (batch, options) => {
        const isAlone = batch.length === 1 && batch[0]?.kind === "done";
        await client.settle(isAlone ? [] : batch, options);
      },
    })),
  },
  {
    fault: "What goes back does so without its delay.",
    caughtBy: "a delivery that goes back is handed out again at once, or after its delay",
    plant: settles((item) => (item.kind === "back" ? { ...item, delayMs: 0 } : item)),
  },
  {
    fault: "What goes back goes behind all others.",
    caughtBy: "a delivery that goes back takes the place of its rank again",
    plant: () => {
      const deliveries = new Map<string, Delivery>();
      return (client) => ({
        ...client,
        take: async (request, options) => {
          const taken = await client.take(request, options);
          for (const each of taken) deliveries.set(each.receipt, each);
          return taken;
        },
        settle: async (batch, options) => {
          await client.settle(batch, options);
          const [only] = batch;
          const back = only?.kind === "back" && batch.length === 1 ? deliveries.get(only.receipt) : undefined;
          const isOut = back !== undefined && (await client.stats()).delivered === 0;
          if (isOut) await client.enqueue([{ ...back, rank: BEHIND_ALL, delayMs: 0 }]);
        },
      });
    },
  },
  {
    fault: "A receipt is the entry's name.",
    caughtBy: "a receipt settles its own delivery only, not a later one of the same entry",
    plant: receiptsOf(({ id }, _count, incarnation) => `${incarnation} ${id}`),
  },
  {
    fault: "Receipts begin anew after a loss.",
    caughtBy: "a receipt from before a loss settles nothing that came after it",
    plant: receiptsOf(({ id }, count) => `${id} ${count}`),
  },
  {
    fault: "An unknown receipt ends the batch.",
    caughtBy: "an unknown receipt is ignored, and those beside it are not",
    plant: eachClient((client) => ({
      ...client,
      settle: (batch, options) => {
        const at = batch.findIndex(({ receipt }) => receipt === "unknown");
        return client.settle(at < 0 ? batch : batch.slice(0, at), options);
      },
    })),
  },
];
