import assert from "node:assert/strict";
import type { Queue } from "../../contracts/queue.ts";
import { LONG_MS } from "../support/builders.ts";
import { sorted } from "../support/checks.ts";
import {
  entryOf,
  holdsSoon,
  idsOf,
  type QueueTest,
  queuesOf,
  take,
  unlessKeyed,
  unlessUnkeyed,
} from "./fixture.ts";

/** All ids by cursor; something may be done to the queue after each page. */
async function audit(queue: Queue, limit: number, between = async () => {}): Promise<string[]> {
  const ids: string[] = [];
  let cursor: string | undefined;
  for (let pages = 0; pages < 1000; pages += 1) {
    const page = await queue.audit(cursor, limit);
    assert.ok(page.items.length <= limit, `${page.items.length} ids on a page of ${limit}`);
    ids.push(...page.items);
    cursor = page.nextCursor;
    if (cursor === undefined) return ids;
    await between();
  }
  return assert.fail("the audit has no last page");
}

function unlessItCanLose({ loseAll }: { readonly loseAll?: unknown }): string | undefined {
  return loseAll === undefined ? "nothing can be lost here" : undefined;
}

export const counting: readonly QueueTest[] = [
  {
    name: "what waits and what is delivered is counted, the delayed among what waits",
    leaveOut: unlessKeyed,
    async run(fixture) {
      const [queue, other] = await queuesOf(fixture, 2);
      assert.ok(queue !== undefined && other !== undefined);
      const check = async (waiting: number, delivered: number): Promise<void> => {
        for (const client of [queue, other]) {
          const stats = await client.stats();
          assert.deepEqual([stats.waiting, stats.delivered], [waiting, delivered]);
        }
      };
      await check(0, 0);
      await queue.enqueue([...["a", "b", "c"].map((id) => entryOf(id)), entryOf("d", { delayMs: LONG_MS })]);
      await queue.enqueue([entryOf("e", { lane: "n", background: true })]);
      await check(5, 0);
      const [one, two] = await take(queue, ["m"], { max: 2 });
      assert.ok(one !== undefined && two !== undefined);
      await check(3, 2);
      await queue.settle([
        { receipt: one.receipt, kind: "done" },
        { receipt: two.receipt, kind: "back", delayMs: 0 },
      ]);
      await check(4, 0);
      const [three] = await take(queue, ["m"], { max: 1 });
      await queue.settle(
        three === undefined ? [] : [{ receipt: three.receipt, kind: "back", delayMs: LONG_MS }],
      );
      await check(4, 0);
      await queue.remove(["d", "e"]);
      await check(2, 0);
    },
  },
  {
    name: "what waits is counted for all clients where entries are not keyed, what is delivered for its own",
    leaveOut: unlessUnkeyed,
    async run(fixture) {
      const [queue, other] = await queuesOf(fixture, 2);
      assert.ok(queue !== undefined && other !== undefined);
      const lanes = [{ lane: "m", background: false }];
      const check = (own: readonly number[], others: readonly number[]): Promise<void> =>
        holdsSoon(fixture, async () => {
          for (const [client, expected] of [[queue, own] as const, [other, others] as const]) {
            const { waiting, delivered } = await client.stats({ lanes });
            assert.deepEqual([waiting, delivered], expected);
          }
        });
      await queue.enqueue(["a", "b", "c"].map((id) => entryOf(id)));
      await check([3, 0], [3, 0]);
      const [one, two] = await take(other, ["m"], { max: 2 });
      assert.ok(one !== undefined && two !== undefined);
      await check([1, 0], [1, 2]);
      await other.settle([
        { receipt: one.receipt, kind: "done" },
        { receipt: two.receipt, kind: "back", delayMs: 0 },
      ]);
      await check([2, 0], [2, 0]);
    },
  },
  {
    name: "what is ready is counted for each lane that is asked for, without what is delayed or delivered",
    async run(fixture) {
      const [queue, other] = await queuesOf(fixture, 2);
      assert.ok(queue !== undefined && other !== undefined);
      const lanes = [
        { lane: "n", background: true },
        { lane: "m", background: true },
        { lane: "m", background: false },
        { lane: "n", background: false },
        { lane: "nobody", background: false },
      ];
      const check = (expected: readonly number[]): Promise<void> =>
        holdsSoon(fixture, async () => {
          for (const client of [queue, other])
            assert.deepEqual((await client.stats({ lanes })).ready, expected);
        });
      await queue.enqueue(["a", "b", "c"].map((id) => entryOf(id)));
      await queue.enqueue(["d", "e"].map((id) => entryOf(id, { lane: "n", background: true })));
      await check([2, 0, 3, 0, 0]);
      await queue.enqueue([entryOf("f", { delayMs: LONG_MS }), entryOf("g", { lane: "n" })]);
      const [one] = await take(queue, ["m"], { max: 1 });
      await check([2, 0, 2, 1, 0]);
      await queue.settle(one === undefined ? [] : [{ receipt: one.receipt, kind: "back", delayMs: 0 }]);
      await check([2, 0, 3, 1, 0]);
      assert.equal((await queue.stats()).ready, undefined);
    },
  },
  {
    name: "an audit tells the ids of all entries in order, also of those that are delayed or delivered",
    leaveOut: unlessKeyed,
    async run({ queue }) {
      const ids = ["B", "a", "b", "_", "-", "9", "10", "c"];
      await queue.enqueue(ids.map((id) => entryOf(id)));
      await queue.enqueue([
        entryOf("late", { delayMs: LONG_MS }),
        entryOf("t", { lane: "n", background: true }),
      ]);
      await take(queue, ["m"], { max: 3 });
      for (const limit of [1, 3, 10, 1000])
        assert.deepEqual(await audit(queue, limit), sorted([...ids, "late", "t"]), `pages of ${limit}`);
    },
  },
  {
    name: "an audit tells each entry that is there all the while exactly once, whatever others do",
    leaveOut: unlessKeyed,
    async run(fixture) {
      const [queue, other] = await queuesOf(fixture, 2);
      assert.ok(queue !== undefined && other !== undefined);
      const stays = Array.from({ length: 60 }, (_, at) => `stays-${String(at).padStart(3, "0")}`);
      const goes = stays.map((id) => id.replace("stays", "goes"));
      await queue.enqueue([...stays, ...goes].map((id) => entryOf(id)));
      let page = 0;
      const met = await audit(queue, 7, async () => {
        page += 1;
        await other.enqueue([entryOf(`a-${page}`), entryOf(`z-${page}`), entryOf(stays[page] ?? "")]);
        await other.remove(goes.slice(0, 5 * page));
        await take(other, ["m"], { max: 3 });
      });
      assert.deepEqual(
        met.filter((id) => id.startsWith("stays")),
        stays,
      );
      assert.equal(new Set(met).size, met.length, "an id was told twice");
    },
  },
  {
    name: "the incarnation stays the same as long as nothing is lost, for every client",
    async run(fixture) {
      const queues = await queuesOf(fixture, 2);
      const { queue } = fixture;
      const before = await queue.incarnation();
      await queue.enqueue([entryOf("a"), entryOf("b")]);
      const [delivery] = await take(queue, ["m"], { max: 1 });
      if (delivery !== undefined) await queue.settle([{ receipt: delivery.receipt, kind: "done" }]);
      if (queue.capabilities.keyed) await queue.remove(["a", "b"]);
      for (const client of queues) assert.equal(await client.incarnation(), before);
    },
  },
  {
    name: "the incarnation changes when what was in it is lost",
    leaveOut: (fixture) => unlessItCanLose(fixture) ?? unlessKeyed(fixture),
    async run({ queue, loseAll }) {
      await queue.enqueue([entryOf("a")]);
      const seen = new Set([await queue.incarnation()]);
      for (let losses = 1; losses <= 2; losses += 1) {
        await loseAll?.();
        seen.add(await queue.incarnation());
        assert.equal(seen.size, losses + 1, "the incarnation is one that was there before");
        await queue.enqueue([entryOf("b")]);
      }
    },
  },
  {
    name: "the incarnation changes, or nothing is ready, when what was in it is lost",
    leaveOut: (fixture) => unlessItCanLose(fixture) ?? unlessUnkeyed(fixture),
    async run(fixture) {
      const { queue, loseAll } = fixture;
      const lanes = [{ lane: "m", background: false }];
      for (let losses = 1; losses <= 2; losses += 1) {
        await queue.enqueue([entryOf("a"), entryOf("b")]);
        const before = await queue.incarnation();
        await loseAll?.();
        await holdsSoon(fixture, async () => {
          if ((await queue.incarnation()) !== before) return;
          assert.deepEqual((await queue.stats({ lanes })).ready, [0], "nothing tells of the loss");
        });
      }
      assert.deepEqual(idsOf(await take(queue)), []);
      await queue.enqueue([entryOf("c")]);
      assert.deepEqual(idsOf(await take(queue)), ["c"]);
    },
  },
  {
    name: "a receipt from before a loss settles nothing that came after it",
    leaveOut: (fixture) => unlessItCanLose(fixture) ?? unlessKeyed(fixture),
    async run({ queue, loseAll }) {
      await queue.enqueue([entryOf("a")]);
      const [old] = await take(queue);
      await loseAll?.();
      await queue.enqueue([entryOf("a")]);
      assert.deepEqual(idsOf(await take(queue)), ["a"]);
      await queue.settle([{ receipt: old?.receipt ?? "", kind: "back", delayMs: 0 }]);
      assert.deepEqual(idsOf(await take(queue)), []);
    },
  },
];
