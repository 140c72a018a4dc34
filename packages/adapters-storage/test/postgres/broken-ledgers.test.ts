import { setTimeout as sleep } from "node:timers/promises";
import { GatewayError, type Ledger } from "@modelgate/core";
import { type LedgerFixture, ledgerKit, runKitTest } from "@modelgate/core/testing";
import { describe, expect, it } from "vitest";
import { ManualClock } from "../../../core/test/discovery/manual-clock.ts";
import { BROKEN_LEDGERS } from "../../../core/test/testing/broken/ledger/broken-ledgers.ts";
import type { LedgerFault } from "../../../core/test/testing/ledger-fixtures.ts";
import { requireService } from "../support/services.ts";
import { ask } from "./servers.ts";
import { newSchema } from "./store-fixture.ts";

/** `all` runs the whole kit against every one of them, and then no other test may fail either: a quarter of an hour. */
const IS_WHOLE = process.env["MODELGATE_PG_BROKEN"] === "all";

const AT_ONCE = 5;
const HANGS_MS = 10_000;
const BEGUN_AT_MS = 1_700_000_000_000;

/** What was planted for a ledger that answers within a turn of the event loop, as it is on one that takes a while. */
const ANEW: Readonly<Record<string, LedgerFault>> = {
  "The state changes before the result is there.": () => {
    const unwritten = new Set<string>();
    return (client) => ({
      ...client,
      exchange: async (request, options) => {
        const ids = request.settle.map(({ id }) => id);
        for (const id of ids) unwritten.add(id);
        const reply = await client.exchange(request, options);
        await sleep(30);
        for (const id of ids) unwritten.delete(id);
        return reply;
      },
      get: async (ids, options) =>
        (await client.get(ids, options)).map((task) => {
          if (task?.result === undefined || !unwritten.has(task.id)) return task;
          return { ...task, result: { ...task.result, inline: undefined } };
        }),
    });
  },
  "An abort on the way rejects with an error of its own.": () => (client) => ({
    ...client,
    stats: async (options) => {
      const stats = client.stats(options);
      return await stats.catch(() => Promise.reject(new GatewayError("ADAPTER_FAILED", "aborted")));
    },
  }),
};

/** Of what a ledger need not claim, and this one does not. */
const UNCLAIMED = ["It is answered before what was submitted can be granted."];

const url = requireService("PG18_URL");

describe.skipIf(url === undefined)(
  "on PostgreSQL too, a ledger that is broken fails the test that names its fault",
  () => {
    for (const { fault, caughtBy, plant, order = "exact" } of BROKEN_LEDGERS) {
      it.skipIf(UNCLAIMED.includes(fault))(
        fault,
        { timeout: IS_WHOLE ? 300_000 : 30_000, concurrent: true },
        async () => {
          const tests = ledgerKit.tests.filter(({ name }) => IS_WHOLE || name === caughtBy);
          const failed: string[] = [];
          for (const test of tests) {
            const run = runKitTest(test, () => fixture(url ?? "", ANEW[fault] ?? plant, order));
            await inTime(run).catch(() => failed.push(test.name));
          }
          expect(failed).toEqual([caughtBy]);
        },
      );
    }

    it("and one that is not fails none of these tests", { timeout: 120_000 }, async () => {
      const names = new Set(BROKEN_LEDGERS.map(({ caughtBy }) => caughtBy));
      const leftOut: string[] = [];
      const rest = ledgerKit.tests.filter(({ name }) => names.has(name));
      const runRest = async (): Promise<void> => {
        for (let test = rest.shift(); test !== undefined; test = rest.shift()) {
          const { name } = test;
          const why = await inTime(
            runKitTest(test, () => fixture(url ?? "", () => (client) => client, "exact")),
          );
          if (why !== undefined) leftOut.push(name);
        }
      };
      await Promise.all(Array.from({ length: AT_ONCE }, runRest));
      const unclaimed = BROKEN_LEDGERS.filter(({ fault }) => UNCLAIMED.includes(fault));
      expect(leftOut).toEqual(expect.arrayContaining(unclaimed.map(({ caughtBy }) => caughtBy)));
      // A ledger that claims an exact order is not tested for a rough one.
      expect(leftOut.length).toBeLessThanOrEqual(unclaimed.length + 1);
    });
  },
);

/** Several clients of one schema, each as the fault makes it, with a clock that a test moves on. */
async function fixture(
  address: string,
  plant: LedgerFault,
  order: Ledger["capabilities"]["order"],
): Promise<LedgerFixture> {
  const schema = newSchema(address);
  const clock = new ManualClock();
  await clock.advance(BEGUN_AT_MS);
  const backend = schema.open().ledger;
  await backend.stats();
  // The store's clock is a function of the schema.
  const setClock = async (): Promise<void> => {
    const text = `CREATE OR REPLACE FUNCTION ${schema.schema}.now_ms() RETURNS double precision LANGUAGE sql STABLE
      AS 'SELECT ${clock.now()}::double precision'`;
    await ask(address, text);
  };
  await setClock();
  const disguise = plant({ backend: asObject(backend, order), clock });
  let opened: Ledger[] = [];
  let reopenings = 0;
  const open = (): Ledger => {
    const client = asObject(schema.open().ledger, order);
    opened.push(client);
    return disguise(client, reopenings);
  };
  return {
    ledger: open(),
    another: async () => open(),
    reopen: async () => {
      await Promise.all(opened.map((client) => client.close()));
      opened = [];
      reopenings += 1;
      return open();
    },
    elapse: async (ms) => {
      await clock.advance(ms);
      await setClock();
    },
    walkRows: 400,
    close: () => schema.end(),
  };
}

/** Its methods as fields, which the faults spread into objects of their own. */
function asObject(ledger: Ledger, order: Ledger["capabilities"]["order"]): Ledger {
  return {
    capabilities: { ...ledger.capabilities, order },
    submit: (batch, options) => ledger.submit(batch, options),
    exchange: (request, options) => ledger.exchange(request, options),
    get: (ids, options) => ledger.get(ids, options),
    list: (request, options) => ledger.list(request, options),
    amend: (batch, options) => ledger.amend(batch, options),
    sweep: (request, options) => ledger.sweep(request, options),
    stats: (options) => ledger.stats(options),
    close: () => ledger.close(),
  };
}

async function inTime<T>(run: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const hangs = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error("it hangs")), HANGS_MS);
  });
  try {
    return await Promise.race([run, hangs]);
  } finally {
    clearTimeout(timer);
  }
}
