import { BandedBroker } from "../../sim/banded-broker.ts";
import { composeLedger } from "../../src/composed-ledger/compose-ledger.ts";
import type { Ledger } from "../../src/contracts/ledger.ts";
import { memoryLedger } from "../../src/memory/ledger.ts";
import { memoryQueue } from "../../src/memory/queue.ts";
import { memoryTaskStore } from "../../src/memory/task-store.ts";
import { openness } from "../../src/openness.ts";
import type { LedgerFixture } from "../../src/testing/ledger-kit/fixture.ts";
import { ManualClock } from "../discovery/manual-clock.ts";

export function memoryFixture(walkRows?: number): LedgerFixture {
  const clock = new ManualClock();
  const ledger = memoryLedger({ clock });
  return { ledger, elapse: (ms) => clock.advance(ms), walkRows, close: () => ledger.close() };
}

export function composedFixture(walkRows?: number, kind: "keyed" | "banded" = "keyed"): LedgerFixture {
  const clock = new ManualClock();
  const store = memoryTaskStore({ clock });
  const queue = kind === "keyed" ? memoryQueue({ clock }) : new BandedBroker(clock).client();
  const ledger = composeLedger(store, queue, { clock });
  const close = async (): Promise<void> => {
    await ledger.close();
    await store.close();
    await queue.close();
  };
  return { ledger, elapse: (ms) => clock.advance(ms), walkRows, close };
}

/** A backend into which a fault is planted, and its time. */
interface LedgerWorld {
  readonly backend: Ledger;
  readonly clock: ManualClock;
}

/** Makes each client's view of one backend; told how often the backend had been opened before. */
export type LedgerFault = (world: LedgerWorld) => (client: Ledger, reopenings: number) => Ledger;

const noFault: LedgerFault = () => (client) => client;

/**
 * A ledger in memory as a shared and durable one would look: several clients that are closed one by one, and that can
 * be opened again. With it every test of the kit has something to do, and a fault shows at once.
 */
export function sharedFixture(
  fault: LedgerFault = noFault,
  order: Ledger["capabilities"]["order"] = "exact",
): LedgerFixture {
  const clock = new ManualClock();
  const backend = memoryLedger({ clock });
  const disguise = fault({ backend, clock });
  const clients: Ledger[] = [];
  let reopenings = 0;
  const open = (): Ledger => {
    const client = clientOf(backend, order);
    clients.push(client);
    return disguise(client, reopenings);
  };
  return {
    ledger: open(),
    another: async () => open(),
    reopen: async () => {
      for (const client of clients.splice(0)) await client.close();
      reopenings += 1;
      return open();
    },
    elapse: (ms) => clock.advance(ms),
    walkRows: 400,
    close: () => backend.close(),
  };
}

function clientOf(backend: Ledger, order: Ledger["capabilities"]["order"]): Ledger {
  const guard = openness("client");
  return {
    capabilities: { shared: true, durable: true, order, inOrder: true },
    submit: guard.wrap((batch, options) => backend.submit(batch, options)),
    exchange: guard.wrap((request, options) => backend.exchange(request, options)),
    get: guard.wrap((ids, options) => backend.get(ids, options)),
    list: guard.wrap((request, options) => backend.list(request, options)),
    amend: guard.wrap((batch, options) => backend.amend(batch, options)),
    sweep: guard.wrap((request, options) => backend.sweep(request, options)),
    stats: guard.wrap((options) => backend.stats(options)),
    close: guard.close,
  };
}
