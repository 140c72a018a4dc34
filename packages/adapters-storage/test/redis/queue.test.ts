import { setTimeout as sleep } from "node:timers/promises";
import type { Delivery, Queue, QueueEntry } from "@modelgate/core";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { QueueHost } from "../../src/redis/queue-host.ts";
import { requireService } from "../support/services.ts";
import { newQueueSpace, type QueueSpace } from "./queue-fixture.ts";

const url = requireService("REDIS_URL");

const VISIBLE_MS = 60_000;

function entry(id: string, rank = 0, parts: Partial<QueueEntry> = {}): QueueEntry {
  return { id, lane: "m", background: false, rank, delayMs: 0, ...parts };
}

function take(
  queue: Queue,
  max: number,
  lanes: readonly string[] = ["m"],
  visibilityMs = VISIBLE_MS,
): Promise<readonly Delivery[]> {
  const asked = lanes.map((lane) => ({ lane, max, background: false }));
  return queue.take({ lanes: asked, max, visibilityMs });
}

const ids = (deliveries: readonly Delivery[]): string[] => deliveries.map(({ id }) => id);

function done({ receipt }: Delivery): { receipt: string; kind: "done" } {
  return { receipt, kind: "done" };
}

// Beyond what the kit of the contract asks of every queue.

describe.skipIf(url === undefined)("the Redis queue", () => {
  let space: QueueSpace;
  let queue: Queue;
  beforeEach(() => {
    space = newQueueSpace(url ?? "");
    queue = space.open();
  });
  afterEach(() => space.close());

  it("makes one script of the calls of a moment, and none of more than 250 entries", async () => {
    let scripts: number[] = [];
    const counting = space.open((host: QueueHost) => ({
      evaluate: (script, keys, args, options) => {
        scripts.push(args.length);
        return host.evaluate(script, keys, args, options);
      },
    }));
    await Promise.all(Array.from({ length: 100 }, (_, at) => counting.enqueue([entry(`a${at}`)])));
    expect(scripts).toEqual([300]);
    scripts = [];
    const taken = await Promise.all(Array.from({ length: 100 }, () => take(counting, 1)));
    expect(scripts.length).toBe(1);
    expect(new Set(taken.flatMap(ids)).size).toBe(100);
    scripts = [];
    const settled = taken.flat().map((delivery) => counting.settle([done(delivery)]));
    await Promise.all([...settled, take(counting, 1)]);
    expect(scripts.length).toBe(2);
    scripts = [];
    await counting.enqueue(Array.from({ length: 600 }, (_, at) => entry(`b${at}`)));
    expect(scripts).toEqual([750, 750, 300]);
    expect(await queue.stats()).toEqual({ waiting: 600, delivered: 0 });
  });

  it("keeps one entry of calls that enqueue one id at once, that of the last", async () => {
    await Promise.all([1, 2, 3].map((rank) => queue.enqueue([entry("a", rank, { lane: `m${rank}` })])));
    expect(await queue.stats()).toEqual({ waiting: 1, delivered: 0 });
    const taken = await take(queue, 9, ["m1", "m2", "m3"]);
    expect(taken.map(({ id, rank }) => [id, rank])).toEqual([["a", 3]]);
  });

  it("deals out one look among calls that were made at once, to each what it asked for", async () => {
    await queue.enqueue(Array.from({ length: 12 }, (_, at) => entry(`t${String(at).padStart(2, "0")}`, at)));
    const taken = await Promise.all([
      queue.take({ lanes: [{ lane: "m", background: false, max: 2 }], max: 9, visibilityMs: VISIBLE_MS }),
      queue.take({ lanes: [{ lane: "m", background: false, max: 9 }], max: 3, visibilityMs: VISIBLE_MS }),
      take(queue, 1, ["n", "m"]),
      take(queue, 1, ["n", "m"]),
      take(queue, 2, ["n", "m"]),
    ]);
    expect(taken.map((each) => each.length)).toEqual([2, 3, 1, 1, 2]);
    expect(ids(taken.flat()).toSorted()).toEqual(
      Array.from({ length: 9 }, (_, at) => `t${String(at).padStart(2, "0")}`),
    );
  });

  it("hands out more than one script may, in order and within the bound of each lane", async () => {
    const entries = Array.from({ length: 1_500 }, (_, at) =>
      entry(`t${at}`, at, { lane: at % 3 === 0 ? "m" : "n" }),
    );
    await queue.enqueue(entries);
    const lanes = [
      { lane: "m", background: false, max: 350 },
      { lane: "n", background: false, max: 1_000 },
    ];
    const taken = await queue.take({ lanes, max: 1_300, visibilityMs: VISIBLE_MS });
    const expected = entries.filter(({ lane, rank }) => lane === "n" || rank < 3 * 350).slice(0, 1_300);
    expect(ids(taken)).toEqual(ids(expected as never));
  });

  it("agrees with a sorted list over random calls, whatever ids, lanes and ranks are like", async () => {
    const model = new Map<string, QueueEntry>();
    let state = 11;
    const random = (below: number): number => {
      state = (state * 48_271) % 2_147_483_647;
      return state % below;
    };
    const odd = ["a", "\u00e9", "\ud7ff", "\ud83d\ude00", "\ue000", "\uffff", "\0", " "];
    const lanes = ["m", "m\0", "m\u0001", "\ud83d\ude00", ""];
    for (let step = 0; step < 400; step += 1) {
      const changed = Array.from(
        { length: 1 + random(20) },
        () => `${odd[random(8)]}${odd[random(8)]}${random(9)}`,
      );
      if (random(3) > 0) {
        const batch = changed.map((id) => {
          return entry(id, random(7) - 3 + random(2) / 2, { lane: lanes[random(5)] ?? "" });
        });
        for (const each of batch) model.set(each.id, each);
        await queue.enqueue(batch);
      } else if (random(2) === 0) {
        for (const id of changed) model.delete(id);
        await queue.remove(changed);
      } else {
        const asked = lanes.filter(() => random(3) > 0);
        const max = 1 + random(30);
        const expected = [...model.values()]
          .filter(({ lane }) => asked.includes(lane))
          .toSorted((a, b) => a.rank - b.rank || (a.id < b.id ? -1 : 1))
          .slice(0, max);
        const taken = await take(queue, max, asked);
        expect(taken.map(({ id, lane, rank }) => ({ id, lane, rank }))).toEqual(
          expected.map(({ id, lane, rank }) => ({ id, lane, rank })),
        );
        await queue.settle(taken.map(done));
        for (const { id } of expected) model.delete(id);
      }
    }
    const ready = lanes.map((lane) => [...model.values()].filter((each) => each.lane === lane).length);
    const asked = lanes.map((lane) => ({ lane, background: false }));
    expect(await queue.stats({ lanes: asked })).toEqual({ waiting: model.size, delivered: 0, ready });
    expect((await queue.audit(undefined, 5_000)).items).toEqual([...model.keys()].toSorted());
  });

  it("takes the lowest ranks of a thousand lanes at once", async () => {
    const lanes = Array.from({ length: 1_000 }, (_, at) => `lane-${at}`);
    await queue.enqueue(lanes.map((lane, at) => entry(`t${at}`, (at * 7_919) % 1_000, { lane })));
    const taken = await take(queue, 20, lanes);
    expect(taken.map(({ rank }) => rank)).toEqual(Array.from({ length: 20 }, (_, at) => at));
  });

  it("makes an id wait again that is enqueued while it is delivered, once, and voids its delivery", async () => {
    await queue.enqueue([entry("a", 1)]);
    const [old] = (await take(queue, 1)) as [Delivery];
    await queue.enqueue([entry("a", 1)]);
    await queue.settle([done(old)]);
    expect(ids(await take(queue, 9))).toEqual(["a"]);
    expect(ids(await take(queue, 9))).toEqual([]);
  });

  it("lets a delivery be settled whose time is over as long as nobody took it again", async () => {
    await queue.enqueue([entry("a"), entry("b")]);
    const [a] = (await take(queue, 2, ["m"], 5)) as [Delivery];
    await sleep(10);
    // Makes both ready again.
    expect(await queue.stats({ lanes: [{ lane: "m", background: false }] })).toEqual({
      waiting: 2,
      delivered: 0,
      ready: [2],
    });
    await queue.settle([done(a)]);
    expect(ids(await take(queue, 9))).toEqual(["b"]);
  });

  it("keeps the order when much more is due at once than one script makes ready", async () => {
    const entries = Array.from({ length: 3_000 }, (_, at) => entry(`t${at}`, -at, { delayMs: 1 }));
    await queue.enqueue(entries);
    await sleep(10);
    expect(ids(await take(queue, 3))).toEqual(["t2999", "t2998", "t2997"]);
    expect((await queue.stats({ lanes: [{ lane: "m", background: false }] })).ready).toEqual([2_997]);
  });

  it("gives back at once what it took for somebody who waits no longer", async () => {
    await queue.enqueue([entry("a")]);
    await queue.stats();
    const abort = new AbortController();
    const lanes = [{ lane: "m", background: false, max: 1 }];
    const taking = queue.take({ lanes, max: 1, visibilityMs: VISIBLE_MS }, { signal: abort.signal });
    setImmediate(() => abort.abort(new Error("no longer")));
    await expect(taking).rejects.toThrow("no longer");
    await expect.poll(async () => ids(await take(queue, 1)), { interval: 5 }).toEqual(["a"]);
  });

  it("refuses what makes no sense, and names the field", async () => {
    const field = (name: string) => ({ code: "INVALID_REQUEST", details: { field: name } });
    await expect(queue.enqueue([entry("a", Number.NaN)])).rejects.toMatchObject(field("rank"));
    await expect(queue.enqueue([entry("a", 1, { delayMs: -1 })])).rejects.toMatchObject(field("delayMs"));
    await expect(take(queue, 1, ["m"], 0)).rejects.toMatchObject(field("visibilityMs"));
    await expect(queue.audit(undefined, 0)).rejects.toMatchObject(field("limit"));
    expect(await queue.stats()).toEqual({ waiting: 0, delivered: 0 });
  });

  it("keeps all in one slot of a Cluster, and nothing of what is done with", async () => {
    const control = space.connect();
    const keys = async (): Promise<string[]> =>
      ((await control.call("keys", [`${space.keySpace}*`])) as string[]).toSorted();
    await queue.incarnation();
    await queue.enqueue([entry("a"), entry("b", 1), entry("c", 2, { delayMs: VISIBLE_MS })]);
    const taken = await take(queue, 1);
    const parts = ["delayed", "delivered", "entries", "ids", "mark", "ready"];
    expect(await keys()).toEqual(parts.map((part) => `${space.keySpace}queue:${part}`));
    await queue.settle(taken.map(done));
    await queue.remove(["b", "c"]);
    expect(await keys()).toEqual([`${space.keySpace}queue:mark`]);
  });
});
