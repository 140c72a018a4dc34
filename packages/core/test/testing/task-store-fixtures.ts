import type { TaskStore } from "../../src/contracts/task-store.ts";
import { memoryTaskStore } from "../../src/memory/task-store.ts";
import { openness } from "../../src/openness.ts";
import type { TaskStoreFixture } from "../../src/testing/task-store-kit/fixture.ts";
import { ManualClock } from "../discovery/manual-clock.ts";

export function memoryFixture(walkRows: number): TaskStoreFixture {
  const clock = new ManualClock();
  const store = memoryTaskStore({ clock });
  return { store, elapse: (ms) => clock.advance(ms), walkRows, close: () => store.close() };
}

/** Makes one client's view of a store; called for each client of one backend. */
export type TaskStoreFault = (backend: TaskStore, clock: ManualClock) => (client: TaskStore) => TaskStore;

const noFault: TaskStoreFault = () => (client) => client;

/** A store in memory as a shared and durable one would look: several clients, and it can be opened again. */
export function sharedFixture(fault: TaskStoreFault = noFault): TaskStoreFixture {
  const clock = new ManualClock();
  const backend = memoryTaskStore({ clock });
  const disguise = fault(backend, clock);
  const clients: TaskStore[] = [];
  const open = (): TaskStore => {
    const client = clientOf(backend);
    clients.push(client);
    return disguise(client);
  };
  return {
    store: open(),
    another: async () => open(),
    reopen: async () => {
      for (const client of clients.splice(0)) await client.close();
      return open();
    },
    elapse: (ms) => clock.advance(ms),
    walkRows: 400,
    close: () => backend.close(),
  };
}

function clientOf(backend: TaskStore): TaskStore {
  const guard = openness("client");
  return {
    capabilities: { shared: true, durable: true },
    insert: guard.wrap((batch, options) => backend.insert(batch, options)),
    apply: guard.wrap((request, options) => backend.apply(request, options)),
    claim: guard.wrap((request, options) => backend.claim(request, options)),
    get: guard.wrap((ids, options) => backend.get(ids, options)),
    list: guard.wrap((request, options) => backend.list(request, options)),
    amend: guard.wrap((batch, options) => backend.amend(batch, options)),
    sweep: guard.wrap((request, options) => backend.sweep(request, options)),
    stats: guard.wrap((options) => backend.stats(options)),
    close: guard.close,
  };
}
