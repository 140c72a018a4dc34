import assert from "node:assert/strict";
import type { Delivery, DeliverySettlement } from "../../contracts/queue.ts";
import { LONG_MS, SHORT_MS } from "../support/builders.ts";
import { elapse, sorted } from "../support/checks.ts";
import {
  entryOf,
  idsOf,
  type QueueTest,
  queuesOf,
  take,
  takeAll,
  unlessKeyed,
  unlessUnkeyed,
} from "./fixture.ts";

const TEN_HOURS_MS = 36_000_000;

function done({ receipt }: Delivery): DeliverySettlement {
  return { receipt, kind: "done" };
}

function back({ receipt }: Delivery, delayMs = 0): DeliverySettlement {
  return { receipt, kind: "back", delayMs };
}

/** The deliveries by id, all of which must be there. */
function byId(deliveries: readonly Delivery[], ...ids: string[]): Delivery[] {
  return ids.map((id) => {
    const found = deliveries.find((each) => each.id === id);
    assert.ok(found !== undefined, `${id} was not handed out`);
    return found;
  });
}

export const delivering: readonly QueueTest[] = [
  {
    name: "an entry that was handed out is out of sight until its time is over, and then comes again",
    leaveOut: unlessKeyed,
    async run(fixture) {
      const [queue, other] = await queuesOf(fixture, 2);
      assert.ok(queue !== undefined && other !== undefined);
      await queue.enqueue([entryOf("long", { lane: "n" }), entryOf("short")]);
      assert.deepEqual(idsOf(await take(queue, ["n"], { visibilityMs: LONG_MS })), ["long"]);
      assert.deepEqual(idsOf(await take(queue, ["m"], { visibilityMs: 10 * SHORT_MS })), ["short"]);
      assert.deepEqual(idsOf(await take(other, ["n"])), []);
      await elapse(fixture, 10 * SHORT_MS);
      assert.deepEqual(idsOf(await take(other, ["n", "m"])), ["short"]);
    },
  },
  {
    name: "an entry that was handed out is handed out to nobody else at the same time",
    async run(fixture) {
      const queues = await queuesOf(fixture, 3);
      const entries = Array.from({ length: 60 }, (_, at) => entryOf(`t${at}`, { lane: `m${at % 3}` }));
      await fixture.queue.enqueue(entries);
      const ids: string[] = [];
      for (let round = 0; round < 10; round += 1) {
        const calls = queues.map((queue) => take(queue, ["m0", "m1", "m2"], { max: 4 }));
        ids.push(...(await Promise.all(calls)).flatMap(idsOf));
      }
      assert.deepEqual(sorted(ids), sorted(entries.map(({ id }) => id)));
    },
  },
  {
    name: "a delivery that is done with never comes again",
    leaveOut: unlessKeyed,
    async run(fixture) {
      const { queue } = fixture;
      await queue.enqueue([entryOf("a"), entryOf("b")]);
      const [a] = byId(await take(queue, ["m"], { visibilityMs: SHORT_MS }), "a", "b");
      await queue.settle(a === undefined ? [] : [done(a)]);
      await elapse(fixture, SHORT_MS);
      assert.deepEqual(idsOf(await take(queue)), ["b"]);
    },
  },
  {
    name: "what a client leaves behind that is closed comes again, but for what is done with",
    leaveOut: (fixture) =>
      unlessUnkeyed(fixture) ?? (fixture.another === undefined ? "it has one client only" : undefined),
    async run(fixture) {
      const [queue, other] = await queuesOf(fixture, 2);
      assert.ok(queue !== undefined && other !== undefined);
      await queue.enqueue([entryOf("a"), entryOf("b"), entryOf("c")]);
      const [a] = byId(await take(other), "a", "b", "c");
      assert.ok(a !== undefined);
      await other.settle([done(a)]);
      assert.deepEqual(idsOf(await take(queue)), []);
      await other.close();
      assert.deepEqual(idsOf(await takeAll(fixture, 2, queue)).sort(), ["b", "c"]);
      assert.deepEqual(idsOf(await take(queue)), []);
    },
  },
  {
    name: "a delivery that goes back is handed out again at once, or after its delay",
    async run(fixture) {
      const { queue } = fixture;
      const ranks = { c: 1, b: 2, a: 3 };
      await queue.enqueue(Object.entries(ranks).map(([id, rank]) => entryOf(id, { rank })));
      const [a, b, c] = byId(await take(queue), "a", "b", "c");
      assert.ok(a !== undefined && b !== undefined && c !== undefined);
      await queue.settle([back(c), back(b, SHORT_MS), back(a, LONG_MS)]);
      assert.deepEqual(idsOf(await takeAll(fixture, 1, queue, ["m"], { max: 1 })), ["c"]);
      await elapse(fixture, SHORT_MS);
      assert.deepEqual(idsOf(await takeAll(fixture, 1, queue)), ["b"]);
    },
  },
  {
    name: "a delivery that goes back takes the place of its rank again",
    async run({ queue }) {
      const nowMs = Date.now();
      const urgent = entryOf("b", { rank: nowMs - TEN_HOURS_MS });
      await queue.enqueue([urgent, entryOf("a", { rank: nowMs })]);
      const [b] = await take(queue, ["m"], { max: 1 });
      assert.ok(b !== undefined);
      await queue.settle([back(b)]);
      const [again] = await take(queue, ["m"], { max: 1 });
      assert.deepEqual([again?.id, again?.rank], [b.id, b.rank]);
    },
  },
  {
    name: "a receipt settles its own delivery only, not a later one of the same entry",
    leaveOut: unlessKeyed,
    async run(fixture) {
      const { queue } = fixture;
      await queue.enqueue([entryOf("a"), entryOf("b")]);
      const [a, b] = byId(await take(queue, ["m"], { visibilityMs: SHORT_MS }), "a", "b");
      assert.ok(a !== undefined && b !== undefined);
      await elapse(fixture, SHORT_MS);
      const again = byId(await take(queue), "a", "b");
      await queue.settle([done(a), back(b)]);
      assert.deepEqual(idsOf(await take(queue)), [], "a late receipt gave the entry back");
      const given = again.map((delivery) => back(delivery));
      await queue.settle(given);
      assert.deepEqual(idsOf(await take(queue)).sort(), ["a", "b"], "a late receipt ended the entry");
      await queue.settle(given);
      assert.deepEqual(idsOf(await take(queue)), [], "a settlement that is repeated gave the entry back");
    },
  },
  {
    name: "a receipt that has settled settles nothing again, where entries are not keyed",
    leaveOut: unlessUnkeyed,
    async run(fixture) {
      const { queue } = fixture;
      await queue.enqueue([entryOf("a"), entryOf("b")]);
      const first = byId(await take(queue), "a", "b");
      const [a, b] = first;
      assert.ok(a !== undefined && b !== undefined);
      await queue.settle([back(a), done(b)]);
      const again = byId(await takeAll(fixture, 1, queue), "a");
      await queue.settle([done(a), back(b)]);
      await queue.settle(first.map((delivery) => back(delivery)));
      assert.deepEqual(idsOf(await take(queue)), [], "it gave an entry back again");
      await queue.settle(again.map((delivery) => back(delivery)));
      assert.deepEqual(idsOf(await takeAll(fixture, 1, queue)), ["a"], "it ended a later delivery");
    },
  },
  {
    name: "an unknown receipt is ignored, and those beside it are not",
    async run(fixture) {
      const { queue } = fixture;
      await queue.enqueue([entryOf("a"), entryOf("b")]);
      const [a, b] = byId(await take(queue), "a", "b");
      assert.ok(a !== undefined && b !== undefined);
      await queue.settle([back(a), { receipt: "unknown", kind: "done" }, back(b)]);
      assert.deepEqual(idsOf(await takeAll(fixture, 2, queue)).sort(), ["a", "b"]);
    },
  },
];
