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

// Beyond what the kit of the contract asks of every queue.

describe("the memory queue", () => {
  it("makes an id wait again that is enqueued while it is delivered, once, and voids its delivery", async () => {
    const { queue, take } = open();
    await queue.enqueue([entry("a", 1)]);
    const [old] = (await take("m")) as [Delivery];
    await queue.enqueue([entry("a", 1)]);
    await queue.settle([{ receipt: old.receipt, kind: "done" }]);
    expect(ids(await take("m"))).toEqual(["a"]);
    expect(ids(await take("m"))).toEqual([]);
  });

  it("counts a delivery as waiting from the moment on in which it can be taken again", async () => {
    const { clock, queue, take } = open();
    await queue.enqueue([entry("a")]);
    await take("m");
    await clock.advance(VISIBLE_MS - 1);
    expect(await queue.stats()).toEqual({ waiting: 0, delivered: 1 });
    await clock.advance(1);
    expect(await queue.stats()).toEqual({ waiting: 1, delivered: 0 });
  });

  it("loses every entry when it is told to", async () => {
    const { queue, take } = open();
    await queue.enqueue([entry("a"), entry("b")]);
    await take("m");
    await queue.enqueue([entry("c")]);
    queue.loseAll();
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
