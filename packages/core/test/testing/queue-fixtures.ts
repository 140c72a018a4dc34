import { BandedBroker } from "../../sim/banded-broker.ts";
import type { Queue } from "../../src/contracts/queue.ts";
import { type MemoryQueue, memoryQueue } from "../../src/memory/queue.ts";
import { openness } from "../../src/openness.ts";
import type { QueueFixture } from "../../src/testing/queue-kit/fixture.ts";
import { ManualClock } from "../discovery/manual-clock.ts";

export function memoryFixture(): QueueFixture {
  const clock = new ManualClock();
  const queue = memoryQueue({ clock });
  return {
    queue,
    loseAll: async () => queue.loseAll(),
    elapse: (ms) => clock.advance(ms),
    close: () => queue.close(),
  };
}

/** Makes one client's view of a queue; called for each client of one backend. */
export type QueueFault = (backend: MemoryQueue, clock: ManualClock) => (client: Queue) => Queue;

const noFault: QueueFault = () => (client) => client;

/** A queue in memory as a shared one would look: several clients that are closed one by one. */
export function sharedFixture(fault: QueueFault = noFault): QueueFixture {
  const clock = new ManualClock();
  const backend = memoryQueue({ clock });
  const disguise = fault(backend, clock);
  const open = (): Queue => disguise(clientOf(backend));
  return {
    queue: open(),
    another: async () => open(),
    loseAll: async () => backend.loseAll(),
    elapse: (ms) => clock.advance(ms),
    close: () => backend.close(),
  };
}

/** Makes one client's view of a broker that orders by bands; called for each client. */
export type BandedFault = (broker: BandedBroker, clock: ManualClock) => (client: Queue) => Queue;

/** A broker in memory that orders by bands. By a purge it loses what waits without a trace. */
export function bandedFixture(
  fault: BandedFault = () => (client) => client,
  loss: "purge" | "loseAll" = "purge",
): QueueFixture {
  // The kit makes ranks of the time of day.
  const clock = new DatedClock();
  const broker = new BandedBroker(clock);
  const disguise = fault(broker, clock);
  const clients: Queue[] = [];
  const open = (): Queue => {
    const client = disguise(broker.client());
    clients.push(client);
    return client;
  };
  return {
    queue: open(),
    another: async () => open(),
    loseAll: async () => broker[loss](),
    elapse: (ms) => clock.advance(ms),
    close: async () => {
      for (const client of clients) await client.close();
    },
  };
}

/** Time that moves only when told to, from now on. */
class DatedClock extends ManualClock {
  readonly #fromMs = Date.now();

  override now(): number {
    return this.#fromMs + super.now();
  }
}

function clientOf(backend: Queue): Queue {
  const guard = openness("client");
  return {
    capabilities: { shared: true, order: "exact", keyed: true },
    enqueue: guard.wrap((batch, options) => backend.enqueue(batch, options)),
    take: guard.wrap((request, options) => backend.take(request, options)),
    settle: guard.wrap((batch, options) => backend.settle(batch, options)),
    remove: guard.wrap((ids, options) => backend.remove(ids, options)),
    stats: guard.wrap((options) => backend.stats(options)),
    incarnation: guard.wrap((options) => backend.incarnation(options)),
    audit: guard.wrap((cursor, limit, options) => backend.audit(cursor, limit, options)),
    close: guard.close,
  };
}
