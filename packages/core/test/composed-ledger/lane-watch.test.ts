import { describe, expect, it } from "vitest";
import { BandedBroker } from "../../sim/banded-broker.ts";
import { type QueueReconciliation, reconcileQueue } from "../../src/composed-ledger/reconcile-queue.ts";
import type { Delivery, Queue, QueueEntry } from "../../src/contracts/queue.ts";
import { memoryTaskStore } from "../../src/memory/task-store.ts";
import { ManualClock } from "../discovery/manual-clock.ts";
import { newTask } from "../support/tasks.ts";

const PAUSE_MS = 5000;
const LOOK_MS = 1000;

function open() {
  const clock = new ManualClock();
  const store = memoryTaskStore({ clock, random: () => 0.5 });
  const broker = new BandedBroker(clock);
  const queue = broker.client();
  const entered: string[] = [];
  /** A gateway of its own, and what it enqueues. */
  const gateway = (random = 0.5, pageMs = 0): QueueReconciliation => {
    const own = broker.client();
    const watched: Queue = {
      ...own,
      enqueue: async (batch, wait) => {
        if (pageMs > 0) await new Promise<void>((resolve) => clock.after(pageMs, resolve));
        entered.push(...batch.map(({ id }) => id));
        await own.enqueue(batch, wait);
      },
    };
    const options = { clock, pageSize: 50, auditPauseMs: PAUSE_MS, random: () => random };
    return reconcileQueue(store, watched, options);
  };
  const submit = async (ids: readonly string[], parts: Parameters<typeof newTask>[1] = {}): Promise<void> => {
    await store.insert(ids.map((id) => newTask(id, parts)));
    await queue.enqueue(ids.map((id) => entryOf(id, parts.model, parts.background)));
  };
  /** Rounds of some gateways, a second each, every one of them until it has no more to do. */
  const rounds = async (count: number, ...gateways: QueueReconciliation[]): Promise<void> => {
    for (let round = 0; round < count; round += 1) {
      const steps = gateways.map(async (each) => {
        while (await each.step());
      });
      let isOver = false;
      const over = Promise.all(steps).then(() => {
        isOver = true;
      });
      do await clock.advance(LOOK_MS);
      while (!isOver);
      await over;
    }
  };
  const take = (model = "m", background = false): Promise<readonly Delivery[]> =>
    queue.take({ lanes: [{ lane: model, background, max: 9999 }], max: 9999, visibilityMs: 3_600_000 });
  return { clock, store, broker, queue, entered, gateway, submit, rounds, take };
}

function entryOf(id: string, lane = "m", background = false): QueueEntry {
  return { id, lane, background, rank: 0, delayMs: 0 };
}

const tasks = (count: number, from = "t"): string[] =>
  Array.from({ length: count }, (_, at) => `${from}${at}`);

describe("a queue that cannot be walked", () => {
  it("is enqueued nothing that it has, neither at the start nor later", async () => {
    const { gateway, submit, rounds, entered } = open();
    await submit(tasks(500));
    await submit(["train"], { background: true });
    await rounds(12, gateway(), gateway());
    expect(entered).toEqual([]);
  });

  it("is filled at the start with what it lacks", async () => {
    const { store, gateway, rounds, take } = open();
    await store.insert(tasks(120).map((id) => newTask(id)));
    await rounds(1, gateway());
    expect((await take()).map(({ id }) => id)).toHaveLength(120);
  });

  it("has all again within two looks of a purge, in order, though others are still submitted", async () => {
    const { store, broker, gateway, submit, rounds, entered, take } = open();
    await submit(tasks(3000));
    await submit(tasks(20, "bg"), { background: true });
    const one = gateway();
    await rounds(2, one);
    broker.purge();
    await submit(tasks(300, "new"), { priority: 0 });
    await submit(["other"], { model: "n" });
    await rounds(2, one);
    const ids = (await take()).map(({ id }) => id);
    // What came after the purge is there already, and is there twice now: nothing tells it from the others.
    const seen = new Set(ids);
    expect(seen.size).toBe(3300);
    const { items } = await store.list({ due: [{ lane: "m", background: false, max: 1000 }] });
    expect(entered.filter((id) => !id.startsWith("bg")).slice(0, 1000)).toEqual(items.map(({ id }) => id));
    expect(await take("m", true)).toHaveLength(20);
    expect(entered).not.toContain("other");
    entered.length = 0;
    await rounds(3, one);
    expect(entered).toEqual([]);
  });

  it("is filled by one of several gateways that miss the same", async () => {
    const { broker, gateway, submit, rounds, entered } = open();
    await submit(tasks(2000));
    const gateways = [0.1, 0.5, 0.9].map((random) => gateway(random, 20));
    await rounds(2, ...gateways);
    broker.purge();
    await rounds(4, ...gateways);
    expect([entered.length, new Set(entered).size]).toEqual([2000, 2000]);
  });

  it("is filled where a lane of one kind lost all, though the other kind of the same model has some", async () => {
    const { queue, gateway, submit, rounds, entered, take } = open();
    await submit(tasks(3, "bg"), { background: true });
    await submit(tasks(2));
    const one = gateway();
    await rounds(2, one);
    await queue.settle((await take()).map(({ receipt }) => ({ receipt, kind: "done" })));
    await rounds(2, one);
    expect(entered).toEqual(["t0", "t1"]);
  });

  it("is filled again after a pause when it lost all again", async () => {
    const { broker, gateway, submit, rounds, entered } = open();
    await submit(tasks(4));
    const one = gateway();
    await rounds(1, one);
    broker.purge();
    await rounds(2, one);
    broker.purge();
    await rounds(2, one);
    expect(entered).toHaveLength(4);
    await rounds(PAUSE_MS / LOOK_MS, one);
    expect(entered).toHaveLength(8);
  });

  it("gets an entry back that was lost in a lane which never runs dry, more and more seldom", async () => {
    const { store, gateway, submit, rounds, entered } = open();
    await store.insert([newTask("lost", { priority: 9 })]);
    await submit(tasks(150));
    const one = gateway();
    await rounds(14, one);
    expect(entered).toEqual([]);
    await rounds(3, one);
    expect([entered[0], entered.length]).toEqual(["lost", 100]);
    await rounds(20, one);
    expect(entered).toHaveLength(100);
    await rounds(12, one);
    expect(entered).toHaveLength(200);
  });

  it("is filled whole when its incarnation changed, the delayed among it", async () => {
    const { store, broker, queue, gateway, submit, rounds, take, clock } = open();
    await submit(tasks(10));
    const one = gateway();
    await rounds(1, one);
    const call = { runner: "r", incarnation: "i", sequence: 1, acknowledged: 0, leaseMs: 90_000 };
    const rest = { settle: [], renew: [], recover: 0, release: [], servers: [] };
    await store.apply({ ...call, ...rest });
    await store.claim({ ...call, claims: [{ id: "t3", servers: [{ server: "s", limit: 1 }] }] });
    const settle = [
      { id: "t3", attempt: 1, kind: "returned", counts: false, delayMs: 4000, releaseHold: true },
    ] as const;
    await store.apply({ ...call, ...rest, sequence: 2, acknowledged: 1, settle });
    broker.loseAll();
    await rounds(1, one);
    expect((await queue.stats()).waiting).toBe(10);
    expect((await take()).map(({ id }) => id)).not.toContain("t3");
    await clock.advance(4000);
    expect((await take()).map(({ id }) => id)).toEqual(["t3"]);
  });
});
