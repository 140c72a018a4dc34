import assert from "node:assert/strict";
import { LONG_MS, SHORT_MS } from "../support/builders.ts";
import { elapse, matches } from "../support/checks.ts";
import { NEAR_NAMES } from "../support/samples.ts";
import { entryOf, idsOf, type QueueTest, queuesOf, take, unlessExact } from "./fixture.ts";

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
    leaveOut: unlessExact,
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
    async run({ queue }) {
      await queue.enqueue([entryOf("a", { lane: "old" })]);
      await queue.enqueue([entryOf("a", { lane: "new" })]);
      assert.deepEqual(idsOf(await take(queue, ["old"])), []);
      assert.deepEqual(idsOf(await take(queue, ["new"])), ["a"]);
    },
  },
  {
    name: "an id that is enqueued again takes its new delay",
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
      assert.deepEqual(idsOf(await take(queue)).sort(), ["now", "soon"]);
    },
  },
  {
    name: "what is removed is handed out no more, whether it waited, was delayed or delivered",
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
