import type {
  Delivery,
  DeliverySettlement,
  Queue,
  QueueEntry,
  TakeRequest,
} from "../../../../src/contracts/queue.ts";
import type { QueueFault } from "../../queue-fixtures.ts";
import type { Broken } from "../failures.ts";

export type BrokenQueue = Broken<QueueFault>;

/** A fault that needs to know nothing of the backend. */
export function eachClient(change: (client: Queue) => Queue): QueueFault {
  return () => (client) => change(client);
}

export function takes(change: (request: TakeRequest) => TakeRequest): QueueFault {
  return eachClient((client) => ({
    ...client,
    take: (request, options) => client.take(change(request), options),
  }));
}

export function enqueues(change: (entry: QueueEntry) => QueueEntry): QueueFault {
  return eachClient((client) => ({
    ...client,
    enqueue: (batch, options) => client.enqueue(batch.map(change), options),
  }));
}

export function settles(change: (item: DeliverySettlement) => DeliverySettlement): QueueFault {
  return eachClient((client) => ({
    ...client,
    settle: (batch, options) => client.settle(batch.map(change), options),
  }));
}

/** Keeps another rank than it is told, and tells the right one. */
export function ranksOtherwise(rankOf: (entry: QueueEntry) => number): QueueFault {
  return () => {
    const ranks = new Map<string, number>();
    return (client) => ({
      ...client,
      enqueue: (batch, options) => {
        for (const { id, rank } of batch) ranks.set(id, rank);
        return client.enqueue(
          batch.map((entry) => ({ ...entry, rank: rankOf(entry) })),
          options,
        );
      },
      take: async (request, options) => {
        const deliveries = await client.take(request, options);
        return deliveries.map((each): Delivery => ({ ...each, rank: ranks.get(each.id) ?? each.rank }));
      },
    });
  };
}

/** An id that is there already keeps something of its first entry. */
export function keepsOfFirst(keep: (first: QueueEntry) => Partial<QueueEntry>): QueueFault {
  return () => {
    const first = new Map<string, QueueEntry>();
    return (client) => ({
      ...client,
      enqueue: (batch, options) => {
        const entries = batch.map((entry) => {
          const known = first.get(entry.id);
          if (known === undefined) first.set(entry.id, entry);
          return { ...entry, ...(known && keep(known)) };
        });
        return client.enqueue(entries, options);
      },
    });
  };
}

/** Lets calls that were made at the same time get in each other's way. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
