import type { Delivery, Queue, QueueEntry } from "../../../../src/contracts/queue.ts";
import type { BandedFault } from "../../queue-fixtures.ts";
import type { Broken } from "../failures.ts";

type BrokenBandedQueue = Broken<BandedFault>;

function each(change: (client: Queue) => Queue): BandedFault {
  return () => (client) => change(client);
}

/** Keeps other entries than it is told, and tells of the right ones. */
function entersOtherwise(change: (entry: QueueEntry) => QueueEntry): BandedFault {
  return () => {
    const ranks = new Map<string, number>();
    return (client) => ({
      ...client,
      enqueue: (batch, options) => {
        for (const { id, rank } of batch) ranks.set(id, rank);
        return client.enqueue(batch.map(change), options);
      },
      take: async (request, options) => {
        const deliveries = await client.take(request, options);
        return deliveries.map((one): Delivery => ({ ...one, rank: ranks.get(one.id) ?? one.rank }));
      },
    });
  };
}

/** Adapters that are right for a queue that is ordered by bands and not keyed, but for one thing. */
export const BROKEN_BANDED_QUEUES: readonly BrokenBandedQueue[] = [
  {
    fault: "There is one band only.",
    caughtBy:
      "with an order by bands, a rank of ten hours ago is handed out before those of now, in every lane",
    // What is given back goes first, so that the place of its rank is not missed.
    plant: entersOtherwise((entry) => ({ ...entry, rank: 0 })),
  },
  {
    fault: "A batch is enqueued from its end.",
    caughtBy: "with an order by bands, what is of one band is handed out in the order in which it came",
    plant: each((client) => ({
      ...client,
      enqueue: (batch, options) => client.enqueue(batch.length > 10 ? [...batch].reverse() : batch, options),
    })),
  },
  {
    fault: "An id that is known is left out.",
    caughtBy:
      "an id that is enqueued again, and is not keyed, is handed out again, also while it is delivered",
    plant: () => {
      const known = new Set<string>();
      return (client) => ({
        ...client,
        enqueue: (batch, options) => {
          const fresh = batch.filter(({ id, lane }) => lane !== "new" || !known.has(id));
          for (const { id } of fresh) known.add(id);
          return client.enqueue(fresh, options);
        },
      });
    },
  },
  {
    fault: "A removal that cannot be done does nothing.",
    caughtBy:
      "entries that are not keyed cannot be removed or audited: both reject UNSUPPORTED and change nothing",
    plant: each((client) => ({ ...client, remove: async () => {} })),
  },
  {
    fault: "What a closed client was handed out is gone.",
    caughtBy: "what a client leaves behind that is closed comes again, but for what is done with",
    plant: each((client) => {
      const own: string[] = [];
      return {
        ...client,
        take: async (request, options) => {
          const deliveries = await client.take(request, options);
          own.push(...deliveries.map(({ receipt }) => receipt));
          return deliveries;
        },
        close: async () => {
          await client.settle(own.map((receipt) => ({ receipt, kind: "done" }))).catch(() => {});
          await client.close();
        },
      };
    }),
  },
  {
    fault: "A receipt that has settled settles the entry's next delivery.",
    caughtBy: "a receipt that has settled settles nothing again, where entries are not keyed",
    plant: () => {
      const latest = new Map<string, string>();
      const ids = new Map<string, string>();
      const settled = new Set<string>();
      return (client) => ({
        ...client,
        take: async (request, options) => {
          const deliveries = await client.take(request, options);
          for (const { id, receipt } of deliveries) {
            latest.set(id, receipt);
            ids.set(receipt, id);
          }
          return deliveries;
        },
        settle: async (batch, options) => {
          const now = batch.map((item) => {
            const again = settled.has(item.receipt) ? latest.get(ids.get(item.receipt) ?? "") : undefined;
            return { ...item, receipt: again ?? item.receipt };
          });
          for (const { receipt } of batch) settled.add(receipt);
          await client.settle(now, options);
        },
      });
    },
  },
  {
    fault: "A client counts the deliveries of all.",
    caughtBy:
      "what waits is counted for all clients where entries are not keyed, what is delivered for its own",
    plant: () => {
      const clients: Queue[] = [];
      return (client) => {
        clients.push(client);
        return {
          ...client,
          stats: async (options) => {
            const all = await Promise.all(clients.map((one) => one.stats(options)));
            const own = await client.stats(options);
            return { ...own, delivered: all.reduce((sum, { delivered }) => sum + delivered, 0) };
          },
        };
      };
    },
  },
  {
    fault: "What is ready is told from memory.",
    caughtBy: "the incarnation changes, or nothing is ready, when what was in it is lost",
    plant: () => {
      let most = 0;
      return (client) => ({
        ...client,
        stats: async (options) => {
          const stats = await client.stats(options);
          return {
            ...stats,
            ready: stats.ready?.map((count) => (options?.lanes?.length === 1 ? most : count)),
          };
        },
        enqueue: async (batch, options) => {
          await client.enqueue(batch, options);
          most += batch.length;
        },
      });
    },
  },
];
