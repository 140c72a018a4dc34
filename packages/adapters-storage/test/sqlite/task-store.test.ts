import { composeLedger, GatewayError, type Ledger } from "@modelgate/core";
import { memoryQueue } from "@modelgate/core/memory";
import {
  describeKit,
  type LedgerFixture,
  ledgerKit,
  type TaskStoreFixture,
  taskStoreKit,
} from "@modelgate/core/testing";
import { describe, expect, it } from "vitest";
import { startChild } from "./child-processes.ts";
import { exchangeOf, freeze, newTask, openStore, want } from "./store-fixture.ts";
import { newTaskStores } from "./task-store-fixture.ts";

/** Rows of the long walk; the ledger's own kit walks further over the same statement. */
const WALK_ROWS = 5000;

async function openFixture(): Promise<TaskStoreFixture> {
  const stores = await newTaskStores();
  return {
    store: await stores.open(),
    another: () => stores.open(),
    reopen: async () => {
      await stores.closeAll();
      return await stores.open();
    },
    elapse: (ms) => stores.elapse(ms),
    walkRows: WALK_ROWS,
    close: () => stores.end(),
  };
}

/** Several ledgers of one file, each over its own client of it, and the queue that they share. */
async function openComposed(): Promise<LedgerFixture> {
  const stores = await newTaskStores();
  const { clock } = stores;
  const here = memoryQueue({ clock });
  // In this one process it is shared.
  const queue = { ...here, capabilities: { ...here.capabilities, shared: true } };
  const open = async (): Promise<Ledger> => {
    const store = await stores.open();
    const ledger = composeLedger(store, queue, { clock });
    return { ...ledger, close: () => ledger.close() };
  };
  return {
    ledger: await open(),
    another: open,
    reopen: async () => {
      await stores.closeAll();
      return await open();
    },
    elapse: (ms) => stores.elapse(ms),
    walkRows: WALK_ROWS,
    close: async () => {
      await stores.end();
      await here.close();
    },
  };
}

describeKit({ describe, it }, taskStoreKit, "SQLite", openFixture);
describeKit({ describe, it }, ledgerKit, "SQLite and a queue", openComposed);

describe("the task store kit", () => {
  it("leaves out nothing of SQLite", async () => {
    const fixture = await openFixture();
    const leftOut = taskStoreKit.tests.filter(({ leaveOut }) => leaveOut?.(fixture) !== undefined);
    expect(leftOut).toEqual([]);
  });
});

describe("two processes that claim the same tasks", () => {
  it("get each once and stay within the limits between them", { timeout: 60_000 }, async () => {
    const { store, directory } = await openStore();
    await store.tasks.insert(Array.from({ length: 2000 }, (_, at) => newTask(`t${at}`)));
    const children = await Promise.all(
      ["forwards", "backwards"].map((runner) => startChild(directory, "claim-all", runner)),
    );
    expect(await Promise.all(children.map(({ exited }) => exited))).toEqual([0, 0]);
    const reports = children.map(({ lines }) => {
      return JSON.parse(lines.at(-1) ?? "{}") as { granted: string[]; others: string[] };
    });
    const granted = reports.flatMap((report) => report.granted);
    expect(new Set(granted.map((each) => each.split("/")[0])).size).toBe(1200);
    expect(granted).toHaveLength(1200);
    expect(granted.every((each) => each.endsWith("/1"))).toBe(true);
    // Both got on, and met what the other had taken.
    for (const report of reports) {
      expect(report.granted.length).toBeGreaterThan(50);
      expect(report.granted.length + report.others.length).toBe(2000);
    }
    expect((await store.tasks.stats()).scheduled).toBe(1200);
  });
});

describe("the task store in SQLite", () => {
  const none = { settle: [], renew: [], recover: 0, release: [], servers: [] };
  const call = { runner: "r", incarnation: "1", leaseMs: 10_000, sequence: 1 };
  const claimsOf = (...ids: string[]) => ids.map((id) => ({ id, servers: [{ server: "s", limit: 9 }] }));

  it("has the same tasks and slots as the ledger of its file, from one call to the next", async () => {
    const { store } = await openStore();
    const { ledger, tasks } = store;
    await Promise.all([ledger.submit([newTask("a"), newTask("b")]), tasks.insert([newTask("c")])]);
    expect((await ledger.exchange(exchangeOf(1, { want: [want("s", { max: 1 })] }))).grants).toHaveLength(1);
    const other = { ...call, runner: "other" };
    await tasks.apply({ ...other, ...none, acknowledged: 0 });
    const claims = ["a", "b", "c"].map((id) => ({ id, servers: [{ server: "s", limit: 2 }] }));
    const outcomes = await tasks.claim({ ...other, claims });
    expect(outcomes.map(({ outcome }) => outcome)).toEqual(["gone", "granted", "full"]);
    expect((await ledger.stats()).lanes).toMatchObject([{ model: "m", waiting: 1 }]);
    const reply = await ledger.exchange(exchangeOf(2, { want: [want("s", { limit: 3 })] }));
    expect(reply.grants.map(({ task }) => task.id)).toEqual(["c"]);
  });

  it("grants what a sweep has brought back to its lane, whatever its clock does then", async () => {
    const { store, client } = await openStore();
    const { tasks } = store;
    await freeze(client, 1_000_000);
    await tasks.insert([newTask("a")]);
    await tasks.apply({ ...call, ...none, acknowledged: 0 });
    expect(await tasks.claim({ ...call, claims: claimsOf("a") })).toMatchObject([{ outcome: "granted" }]);
    const returned = {
      id: "a",
      attempt: 1,
      kind: "returned",
      counts: false,
      delayMs: 300,
      releaseHold: true,
    } as const;
    const next = { ...call, sequence: 2 };
    const reply = await tasks.apply({ ...next, ...none, settle: [returned], acknowledged: 1 });
    expect(reply.returned).toMatchObject([{ id: "a", notBeforeAtMs: 1_000_300 }]);
    await freeze(client, 1_000_100);
    expect(await tasks.claim({ ...next, claims: claimsOf("a") })).toEqual([
      { outcome: "not_yet", delayMs: 200 },
    ]);
    await freeze(client, 1_000_300);
    await tasks.sweep({ limit: 10, unserved: [] });
    await freeze(client, 1_000_299);
    expect(await tasks.claim({ ...next, claims: claimsOf("a") })).toMatchObject([{ outcome: "granted" }]);
  });

  it("refuses names that a row cannot hold, and then claims nothing", async () => {
    const { store } = await openStore();
    const { tasks } = store;
    await tasks.insert([newTask("a"), newTask("b")]);
    await tasks.apply({ ...call, ...none, acknowledged: 0 });
    const bad = { id: "b", servers: [{ server: "s\0", limit: 9 }] };
    const error = await tasks.claim({ ...call, claims: [...claimsOf("a"), bad] }).catch((thrown) => thrown);
    expect(GatewayError.is(error, "INVALID_REQUEST")).toBe(true);
    expect((await tasks.stats()).lanes).toMatchObject([{ model: "m", waiting: 2 }]);
  });

  it("is closed with its records, and so is the file, when the ledger was never called", async () => {
    const { store, client } = await openStore();
    await store.tasks.insert([newTask("a")]);
    await store.records.close();
    expect((await store.tasks.get(["a"]))[0]?.state).toBe("pending");
    await store.tasks.close();
    expect(client.worker).toBeUndefined();
    for (const rejected of [store.tasks.stats(), store.ledger.stats()])
      await expect(rejected).rejects.toMatchObject({ code: "CLOSED" });
  });

  it("keeps the file open for a ledger that was called", async () => {
    const { store, client } = await openStore();
    await store.ledger.submit([newTask("a")]);
    await store.records.close();
    await store.tasks.close();
    expect((await store.ledger.get(["a"]))[0]?.state).toBe("pending");
    await store.ledger.close();
    expect(client.worker).toBeUndefined();
  });
});
