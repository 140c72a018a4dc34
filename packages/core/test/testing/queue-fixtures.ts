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
export function sharedFixture(
  fault: QueueFault = noFault,
  order: Queue["capabilities"]["order"] = "exact",
): QueueFixture {
  const clock = new ManualClock();
  const backend = memoryQueue({ clock });
  const disguise = fault(backend, clock);
  const open = (): Queue => disguise(clientOf(backend, order));
  return {
    queue: open(),
    another: async () => open(),
    loseAll: async () => backend.loseAll(),
    elapse: (ms) => clock.advance(ms),
    close: () => backend.close(),
  };
}

function clientOf(backend: Queue, order: Queue["capabilities"]["order"]): Queue {
  const guard = openness("client");
  return {
    capabilities: { shared: true, order, keyed: true },
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
