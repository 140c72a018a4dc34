import assert from "node:assert/strict";
import { LONG_MS, SHORT_MS } from "../support/builders.ts";
import { elapse, matches, rejectsWith } from "../support/checks.ts";
import { NEAR_NAMES } from "../support/samples.ts";
import {
  entryOf,
  idsOf,
  type QueueTest,
  queuesOf,
  take,
  takeAll,
  unlessExact,
  unlessKeyed,
  unlessUnkeyed,
} from "./fixture.ts";

export const enqueuing: readonly QueueTest[] = [
  {
    name: "an entry is handed out as it was enqueued, to any client",
    async run(fixture) {
      const [queue, other] = await queuesOf(fixture, 2);
      const entries = NEAR_NAMES.map((lane, at) => entryOf(`id-${at}_A`, { lane, rank: 1.7e12 + at }));
      await queue?.enqueue(entries);
      for (const { id, lane, rank } of entries) {
        const deliveries =
          (await other?.take({
            lanes: [{ lane, max: 9, background: false }],
            max: 9,
            visibilityMs: LONG_MS,
          })) ?? [];
        assert.equal(deliveries.length, 1, `entries of lane "${lane}"`);
        matches(deliveries[0], { id, lane, rank, background: false }, `the delivery of ${id}`);
        assert.ok(deliveries[0]?.receipt, "it has a receipt");
      }
    },
  },
  {
    name: "an id that waits already keeps one entry",
    leaveOut: unlessKeyed,
    async run(fixture) {
      const queues = await queuesOf(fixture, 2);
      for (const queue of queues) await queue.enqueue([entryOf("a"), entryOf("a"), entryOf("b")]);
      const { queue } = fixture;
      assert.deepEqual(idsOf(await take(queue)).sort(), ["a", "b"]);
      assert.deepEqual(idsOf(await take(queue)), []);
    },
  },
  {
    name: "an id that is enqueued again takes its new rank",
    leaveOut: (fixture) => unlessKeyed(fixture) ?? unlessExact(fixture),
    async run({ queue }) {
      await queue.enqueue([entryOf("a", { rank: 1 }), entryOf("b", { rank: 2 }), entryOf("c", { rank: 3 })]);
      await queue.enqueue([entryOf("c", { rank: 0 }), entryOf("a", { rank: 9 })]);
      const deliveries = await take(queue);
      assert.deepEqual(
        deliveries.map(({ id, rank }) => [id, rank]),
        [
          ["c", 0],
          ["b", 2],
          ["a", 9],
        ],
      );
    },
  },
  {
    name: "an id that is enqueued again takes its new lane",
    leaveOut: unlessKeyed,
    async run({ queue }) {
      await queue.enqueue([entryOf("a", { lane: "old" })]);
      await queue.enqueue([entryOf("a", { lane: "new" })]);
      assert.deepEqual(idsOf(await take(queue, ["old"])), []);
      assert.deepEqual(idsOf(await take(queue, ["new"])), ["a"]);
    },
  },
  {
    name: "an id that is enqueued again takes its new delay",
    leaveOut: unlessKeyed,
    async run({ queue }) {
      await queue.enqueue([entryOf("a", { delayMs: LONG_MS }), entryOf("b")]);
      await queue.enqueue([entryOf("a"), entryOf("b", { delayMs: LONG_MS })]);
      assert.deepEqual(idsOf(await take(queue)), ["a"]);
    },
  },
  {
    name: "an entry is handed out after its delay, and not before",
    async run(fixture) {
      const { queue } = fixture;
      await queue.enqueue([entryOf("soon", { delayMs: SHORT_MS }), entryOf("late", { delayMs: LONG_MS })]);
      await queue.enqueue([entryOf("now")]);
      await elapse(fixture, SHORT_MS);
      assert.deepEqual(idsOf(await takeAll(fixture, 2, queue)).sort(), ["now", "soon"]);
    },
  },
  {
    name: "an id that is enqueued again, and is not keyed, is handed out again, also while it is delivered",
    leaveOut: unlessUnkeyed,
    async run(fixture) {
      const [queue, other] = await queuesOf(fixture, 2);
      assert.ok(queue !== undefined && other !== undefined);
      await queue.enqueue([entryOf("a", { lane: "old" })]);
      await other.enqueue([entryOf("a", { lane: "new" })]);
      assert.ok(idsOf(await takeAll(fixture, 1, queue, ["new"])).includes("a"), "not in its new lane");
      await queue.enqueue([entryOf("a", { lane: "new" })]);
      const [again] = await takeAll(fixture, 1, queue, ["new"]);
      assert.ok(again?.id === "a", "not while it was delivered");
      await queue.settle([{ receipt: again.receipt, kind: "done" }]);
      await queue.enqueue([entryOf("a", { lane: "new" })]);
      assert.ok(idsOf(await takeAll(fixture, 1, queue, ["new"])).includes("a"), "not after it was done with");
    },
  },
  {
    name: "entries that are not keyed cannot be removed or audited: both reject UNSUPPORTED and change nothing",
    leaveOut: unlessUnkeyed,
    async run({ queue }) {
      await queue.enqueue([entryOf("a")]);
      await rejectsWith("UNSUPPORTED", queue.remove(["a"]));
      await rejectsWith("UNSUPPORTED", queue.audit(undefined, 10));
      assert.deepEqual(idsOf(await take(queue)), ["a"]);
    },
  },
  {
    name: "what is removed is handed out no more, whether it waited, was delayed or delivered",
    leaveOut: unlessKeyed,
    async run(fixture) {
      const { queue } = fixture;
      await queue.enqueue([entryOf("delivered"), entryOf("delayed", { delayMs: SHORT_MS })]);
      await take(queue, ["m"], { visibilityMs: SHORT_MS });
      await queue.enqueue([entryOf("waiting"), entryOf("stays")]);
      await queue.remove(["delivered", "delayed", "waiting", "unknown"]);
      await elapse(fixture, SHORT_MS);
      assert.deepEqual(idsOf(await take(queue)), ["stays"]);
    },
  },
];
