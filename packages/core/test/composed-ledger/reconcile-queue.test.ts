import { describe, expect, it } from "vitest";
import { IdSketch } from "../../src/composed-ledger/id-sketch.ts";
import { reconcileQueue } from "../../src/composed-ledger/reconcile-queue.ts";
import type { Queue } from "../../src/contracts/queue.ts";
import { type MemoryQueue, memoryQueue } from "../../src/memory/queue.ts";
import { memoryTaskStore } from "../../src/memory/task-store.ts";
import { ManualClock } from "../discovery/manual-clock.ts";
import { newTask } from "../support/tasks.ts";

const PAUSE_MS = 5000;

function open(wrap: (queue: MemoryQueue) => Queue = (queue) => queue) {
  const clock = new ManualClock();
  const store = memoryTaskStore({ clock, random: () => 0.5 });
  const queue = memoryQueue({ clock });
  const options = { clock, pageSize: 4, auditPauseMs: PAUSE_MS };
  const reconciliation = reconcileQueue(store, wrap(queue), options);
  const fill = async (): Promise<number> => {
    for (let steps = 1; ; steps += 1) if (!(await reconciliation.step())) return steps;
  };
  /** One whole comparison, however many steps it takes. */
  const compare = async (): Promise<void> => {
    await clock.advance(PAUSE_MS);
    for (let steps = 0; steps < 20; steps += 1) await reconciliation.step();
  };
  const ids = async (): Promise<readonly string[]> => (await queue.audit(undefined, 1000)).items;
  return { clock, store, queue, reconciliation, fill, compare, ids };
}

const tasks = (count: number): string[] => Array.from({ length: count }, (_, at) => `t${at}`);

describe("a refill", () => {
  it("enqueues all that waits, ten pages for each step, at the start", async () => {
    const { store, fill, ids, queue } = open();
    await store.insert(
      tasks(100).map((id) => newTask(id, { priority: id === "t3" ? 9 : 5, background: id === "t4" })),
    );
    await store.amend([{ kind: "cancel", id: "t99" }]);
    expect(await fill()).toBe(3);
    expect(await ids()).toEqual(tasks(99).sort());
    const lanes = [{ lane: "m", max: 1, background: false }];
    expect((await queue.take({ lanes, max: 1, visibilityMs: 1 }))[0]?.id).toBe("t3");
    const background = [{ lane: "m", max: 9, background: true }];
    expect((await queue.take({ lanes: background, max: 9, visibilityMs: 1 })).map(({ id }) => id)).toEqual([
      "t4",
    ]);
  });

  it("begins again when the queue lost its content, also in the middle", async () => {
    const { store, queue, fill, reconciliation, ids } = open();
    await store.insert(tasks(100).map((id) => newTask(id)));
    await reconciliation.step();
    queue.loseAll();
    expect(await fill()).toBe(3);
    expect(await ids()).toHaveLength(100);
    queue.loseAll();
    await fill();
    expect(await ids()).toHaveLength(100);
  });

  it("enqueues in the order of the ranks, and the lanes in turn", async () => {
    const { store, queue, reconciliation, ids } = open();
    const ofLane = (model: string, count: number) =>
      Array.from({ length: count }, (_, at) => newTask(`${model}${at}`, { model, priority: at % 11 }));
    await store.insert([...ofLane("long", 200), ...ofLane("short", 3)]);
    await reconciliation.step();
    expect((await ids()).filter((id) => id.startsWith("short"))).toHaveLength(3);
    const lanes = [{ lane: "long", max: 12, background: false }];
    const first = await queue.take({ lanes, max: 12, visibilityMs: 1 });
    const order = ofLane("long", 200).toSorted((a, b) => b.priority - a.priority || (a.id < b.id ? -1 : 1));
    expect(first.map(({ id }) => id)).toEqual(order.slice(0, 12).map(({ id }) => id));
  });

  it("enqueues what a call could not, without walking all that waits", async () => {
    const { store, queue, fill, reconciliation, ids } = open();
    await store.insert(tasks(60).map((id) => newTask(id)));
    await fill();
    await queue.remove(["t3", "t4", "t5", "t6", "t7", "t8"]);
    await store.amend([{ kind: "cancel", id: "t8" }]);
    reconciliation.lost(["t3", "t4", "t5", "t6", "t7", "t8", "nobody"]);
    expect(await fill()).toBe(2);
    expect(await ids()).toEqual(
      tasks(60)
        .filter((id) => id !== "t8")
        .sort(),
    );
  });

  it("takes a step again that failed", async () => {
    let failures = 2;
    const { store, fill, ids, reconciliation } = open((queue) => ({
      ...queue,
      enqueue: (batch) => {
        failures -= 1;
        return failures < 0 ? queue.enqueue(batch) : Promise.reject(new Error("away"));
      },
    }));
    await store.insert(tasks(6).map((id) => newTask(id)));
    await expect(reconciliation.step()).rejects.toThrow("away");
    await expect(reconciliation.step()).rejects.toThrow("away");
    await fill();
    expect(await ids()).toHaveLength(6);
  });

  it("keeps a back-off", async () => {
    const { clock, store, queue, fill } = open();
    await store.insert([newTask("a")]);
    const call = { runner: "r", incarnation: "i", sequence: 1, acknowledged: 0, leaseMs: 9000 };
    const rest = { settle: [], renew: [], recover: 0, release: [], servers: [] };
    await store.apply({ ...call, ...rest });
    await store.claim({ ...call, claims: [{ id: "a", servers: [{ server: "s", limit: 1 }] }] });
    const settle = [
      { id: "a", attempt: 1, kind: "returned", counts: false, delayMs: 300, releaseHold: true },
    ] as const;
    await store.apply({ ...call, ...rest, sequence: 2, acknowledged: 1, settle });
    await clock.advance(100);
    await fill();
    const take = async () => {
      return (
        await queue.take({ lanes: [{ lane: "m", max: 1, background: false }], max: 1, visibilityMs: 1 })
      ).length;
    };
    await clock.advance(199);
    expect(await take()).toBe(0);
    await clock.advance(1);
    expect(await take()).toBe(1);
  });
});

describe("the slow comparison", () => {
  it("takes out what waits no longer, and puts in what is missing", async () => {
    const { store, queue, fill, compare, ids } = open();
    await store.insert(tasks(11).map((id) => newTask(id)));
    await fill();
    await store.amend([{ kind: "cancel", id: "t2" }]);
    await queue.enqueue([{ id: "nobody", lane: "m", background: false, rank: 0, delayMs: 0 }]);
    await queue.remove(["t5", "t10"]);
    await compare();
    expect(await ids()).toEqual(
      tasks(11)
        .filter((id) => id !== "t2")
        .sort(),
    );
  });

  it("writes nothing when there is nothing to correct", async () => {
    const writes: string[] = [];
    const { store, fill, compare } = open((queue) => ({
      ...queue,
      enqueue: (batch, options) => {
        writes.push(...batch.map(({ id }) => id));
        return queue.enqueue(batch, options);
      },
      remove: (ids, options) => {
        writes.push(...ids);
        return queue.remove(ids, options);
      },
    }));
    await store.insert(tasks(9).map((id) => newTask(id)));
    await fill();
    writes.length = 0;
    await compare();
    await compare();
    expect(writes).toEqual([]);
  });

  it("puts back what began to wait again while it was being taken out", async () => {
    let isRacing = false;
    const parts = open((queue) => ({
      ...queue,
      remove: async (ids, options) => {
        // Somebody hands the task back just before its entry is taken out.
        if (isRacing) {
          isRacing = false;
          await parts.store.insert([newTask("again")]);
          await queue.enqueue([{ id: "again", lane: "m", background: false, rank: 0, delayMs: 0 }]);
        }
        await queue.remove(ids, options);
      },
    }));
    await parts.fill();
    await parts.queue.enqueue([{ id: "again", lane: "m", background: false, rank: 0, delayMs: 0 }]);
    isRacing = true;
    await parts.compare();
    expect([isRacing, await parts.ids()]).toEqual([false, ["again"]]);
  });

  it("pauses between two comparisons, and does not step twice at once", async () => {
    let asked = 0;
    const { fill, reconciliation, clock } = open((queue) => ({
      ...queue,
      audit: (cursor, limit) => {
        asked += 1;
        return queue.audit(cursor, limit);
      },
    }));
    await fill();
    await clock.advance(PAUSE_MS - 1);
    await reconciliation.step();
    expect(asked).toBe(0);
    await clock.advance(1);
    await reconciliation.step();
    await Promise.all([reconciliation.step(), reconciliation.step()]);
    expect(asked).toBe(1);
  });
});

describe("the sketch of ids", () => {
  it("has what was added, and hardly anything else", () => {
    const sketch = new IdSketch(20_000, 3);
    for (let at = 0; at < 20_000; at += 1) sketch.add(`task-${at}`);
    let wrong = 0;
    for (let at = 0; at < 20_000; at += 1) {
      expect(sketch.mayHave(`task-${at}`)).toBe(true);
      if (sketch.mayHave(`other-${at}`)) wrong += 1;
    }
    expect(wrong).toBeLessThan(200);
  });

  it("errs on other ids with another seed", () => {
    const wrongBy = (seed: number): Set<string> => {
      // Far too small for what it holds.
      const sketch = new IdSketch(0, seed);
      for (let at = 0; at < 40_000; at += 1) sketch.add(`task-${at}`);
      return new Set(
        Array.from({ length: 2000 }, (_, at) => `other-${at}`).filter((id) => sketch.mayHave(id)),
      );
    };
    const first = wrongBy(1);
    const both = [...wrongBy(2)].filter((id) => first.has(id));
    expect(first.size).toBeGreaterThan(1000);
    expect(both.length).toBeLessThan(first.size * 0.95);
  });
});
