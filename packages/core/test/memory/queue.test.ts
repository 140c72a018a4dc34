import { describe, expect, it } from "vitest";
import type { Delivery, QueueEntry } from "../../src/contracts/queue.ts";
import { type MemoryQueue, memoryQueue } from "../../src/memory/queue.ts";
import { ManualClock } from "../discovery/manual-clock.ts";

const VISIBLE_MS = 1000;

function open(): {
  clock: ManualClock;
  queue: MemoryQueue;
  take: (...lanes: string[]) => Promise<readonly Delivery[]>;
} {
  const clock = new ManualClock();
  const queue = memoryQueue({ clock });
  const take = (...lanes: string[]): Promise<readonly Delivery[]> => {
    const asked = lanes.map((lane) => ({ lane, max: 100, background: false }));
    return queue.take({ lanes: asked, max: 100, visibilityMs: VISIBLE_MS });
  };
  return { clock, queue, take };
}

function entry(id: string, rank = 0, parts: Partial<QueueEntry> = {}): QueueEntry {
  return { id, lane: "m", background: false, rank, delayMs: 0, ...parts };
}

const ids = (deliveries: readonly Delivery[]): string[] => deliveries.map(({ id }) => id);

describe("the memory queue", () => {
  it("hands out the lowest ranks over all lanes, ties by id, within each max", async () => {
    const { queue } = open();
    await queue.enqueue([
      entry("c", 1),
      entry("a", 2, { lane: "n" }),
      entry("b", 1),
      entry("z", 0, { lane: "x" }),
    ]);
    const lanes = [
      { lane: "m", max: 1, background: false },
      { lane: "n", max: 5, background: false },
    ];
    expect(ids(await queue.take({ lanes, max: 5, visibilityMs: VISIBLE_MS }))).toEqual(["b", "a"]);
    expect(ids(await queue.take({ lanes, max: 0, visibilityMs: VISIBLE_MS }))).toEqual([]);
    expect(ids(await queue.take({ lanes, max: 5, visibilityMs: VISIBLE_MS }))).toEqual(["c"]);
  });

  it("keeps background work in lanes of its own", async () => {
    const { queue, take } = open();
    await queue.enqueue([entry("f", 2), entry("b", 1, { background: true })]);
    expect(ids(await take("m"))).toEqual(["f"]);
    const lanes = [{ lane: "m", max: 5, background: true }];
    expect(ids(await queue.take({ lanes, max: 5, visibilityMs: VISIBLE_MS }))).toEqual(["b"]);
  });

  it("keeps a delivery out of sight until it is settled or its time is over", async () => {
    const { clock, queue, take } = open();
    await queue.enqueue([entry("done", 1), entry("back", 2), entry("lost", 3)]);
    const [done, back] = (await take("m")) as [Delivery, Delivery];
    expect(await queue.stats()).toEqual({ waiting: 0, delivered: 3 });
    await queue.settle([
      { receipt: done.receipt, kind: "done" },
      { receipt: back.receipt, kind: "back", delayMs: 0 },
      { receipt: "unknown", kind: "done" },
    ]);
    expect(ids(await take("m"))).toEqual(["back"]);
    await clock.advance(VISIBLE_MS - 1);
    expect(await take("m")).toEqual([]);
    await clock.advance(1);
    expect(ids(await take("m"))).toEqual(["back", "lost"]);
  });

  it("lets an old receipt settle nothing that was delivered again", async () => {
    const { clock, queue, take } = open();
    await queue.enqueue([entry("a")]);
    const [old] = (await take("m")) as [Delivery];
    await clock.advance(VISIBLE_MS);
    expect(ids(await take("m"))).toEqual(["a"]);
    await queue.settle([{ receipt: old.receipt, kind: "done" }]);
    expect((await queue.stats()).delivered).toBe(1);
    queue.loseAll();
    await queue.enqueue([entry("a")]);
    await take("m");
    await queue.settle([{ receipt: old.receipt, kind: "done" }]);
    expect((await queue.stats()).delivered).toBe(1);
  });

  it("delays entries", async () => {
    const { clock, queue, take } = open();
    await queue.enqueue([entry("late", 1, { delayMs: 50 }), entry("now", 2)]);
    expect(ids(await take("m"))).toEqual(["now"]);
    await clock.advance(50);
    expect(ids(await take("m"))).toEqual(["late"]);
  });

  it("keeps one entry for an id, with the latest rank, lane and delay", async () => {
    const { queue, take } = open();
    await queue.enqueue([entry("a", 1), entry("b", 2)]);
    await queue.enqueue([entry("b", 0), entry("a", 9, { lane: "n", delayMs: 5 }), entry("a", 1)]);
    await queue.enqueue([entry("a", 1)]);
    expect(ids(await take("m", "n"))).toEqual(["b", "a"]);
    expect((await queue.stats()).delivered).toBe(2);
    // A delivered one waits again, once, and its delivery is void.
    await queue.enqueue([entry("a", 1)]);
    const [old] = (await take("m")) as [Delivery];
    await queue.enqueue([entry("a", 1)]);
    await queue.settle([{ receipt: old.receipt, kind: "done" }]);
    expect(ids(await take("m", "n"))).toEqual(["a"]);
  });

  it("removes what waits, is delayed or delivered", async () => {
    const { clock, queue, take } = open();
    await queue.enqueue([entry("delivered"), entry("delayed", 0, { delayMs: 9 })]);
    await take("m");
    await queue.enqueue([entry("waiting")]);
    await queue.remove(["delivered", "delayed", "waiting", "unknown"]);
    await clock.advance(VISIBLE_MS);
    expect([await take("m"), await queue.stats()]).toEqual([[], { waiting: 0, delivered: 0 }]);
  });

  it("tells every id in order, those that are there during the whole walk exactly once", async () => {
    const { queue, take } = open();
    await queue.enqueue(["d", "b", "a", "c", "e"].map((id) => entry(id)));
    await take("m");
    const met: string[] = [];
    let cursor: string | undefined;
    do {
      const page = await queue.audit(cursor, 2);
      met.push(...page.items);
      cursor = page.nextCursor;
      await queue.enqueue([entry("aa"), entry("x")]);
      await queue.remove(["d"]);
    } while (cursor !== undefined);
    expect(met.filter((id) => ["a", "b", "c", "e"].includes(id))).toEqual(["a", "b", "c", "e"]);
    expect(new Set(met).size).toBe(met.length);
  });

  it("changes its incarnation when it loses everything, and only then", async () => {
    const { queue, take } = open();
    const before = await queue.incarnation();
    await queue.enqueue([entry("a")]);
    expect(await queue.incarnation()).toBe(before);
    queue.loseAll();
    expect(await queue.incarnation()).not.toBe(before);
    expect([await take("m"), await queue.stats()]).toEqual([[], { waiting: 0, delivered: 0 }]);
  });

  it("agrees with a sorted list over random calls", async () => {
    const { queue } = open();
    const model = new Map<string, QueueEntry>();
    let state = 7;
    const random = (below: number): number => {
      state = (state * 48_271) % 2_147_483_647;
      return state % below;
    };
    for (let step = 0; step < 3000; step += 1) {
      const id = `t${random(60)}`;
      if (random(3) > 0) {
        const added = entry(id, random(10), { lane: `m${random(3)}` });
        model.set(id, added);
        await queue.enqueue([added]);
      } else if (random(2) === 0) {
        model.delete(id);
        await queue.remove([id]);
      } else {
        const lane = `m${random(3)}`;
        const inLane = [...model.values()].filter((each) => each.lane === lane);
        const expected = inLane.toSorted((a, b) => a.rank - b.rank || (a.id < b.id ? -1 : 1)).slice(0, 3);
        const request = { lanes: [{ lane, max: 3, background: false }], max: 3, visibilityMs: VISIBLE_MS };
        const taken = await queue.take(request);
        expect(ids(taken)).toEqual(expected.map((each) => each.id));
        await queue.settle(taken.map(({ receipt }) => ({ receipt, kind: "done" })));
        for (const each of expected) model.delete(each.id);
      }
    }
    expect((await queue.stats()).waiting).toBe(model.size);
  });
});
