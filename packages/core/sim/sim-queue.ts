import type { Clock } from "../src/contracts/clock.ts";
import type { Queue } from "../src/contracts/queue.ts";
import { memoryQueue } from "../src/memory/queue.ts";
import { BandedBroker, type BandedClient } from "./banded-broker.ts";
import type { QueueKind } from "./scenario.ts";
import type { SimProcess } from "./sim-process.ts";
import type { Wrap } from "./wrap.ts";

/** The queue of one world, as each process gets at it. */
export interface SharedQueue {
  for(process: SimProcess): Queue;
  /** Loses what waits; where a queue can lose it unseen, unless it is to be seen. Returns the name of the fault. */
  lose(isSeen: boolean): string;
  /** Breaks all connections, where that changes anything. */
  reconnect(): boolean;
}

export function sharedQueue(kind: QueueKind, clock: Clock, wrap: Wrap): SharedQueue {
  if (kind === "keyed") {
    const backend = memoryQueue({ clock });
    const queue = wrap.sharedQueue(backend);
    return {
      for: () => queue,
      lose: () => {
        backend.loseAll();
        return "queue.lost";
      },
      reconnect: () => false,
    };
  }
  const broker = new BandedBroker(clock);
  const clients = new Set<BandedClient>();
  return {
    for: (process) => {
      const client = broker.client();
      clients.add(client);
      process.onDeath(() => {
        clients.delete(client);
        client.reconnect();
      });
      return wrap.sharedQueue(client);
    },
    lose: (isSeen) => {
      if (isSeen) broker.loseAll();
      else broker.purge();
      return isSeen ? "queue.lost" : "queue.purged";
    },
    reconnect: () => {
      for (const client of clients) client.reconnect();
      return true;
    },
  };
}
