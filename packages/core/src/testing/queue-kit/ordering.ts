import assert from "node:assert/strict";
import type { QueueEntry } from "../../contracts/queue.ts";
import { sorted } from "../support/checks.ts";
import { entryOf, idsOf, type QueueFixture, type QueueTest, take, unlessExact } from "./fixture.ts";

const TEN_HOURS_MS = 36_000_000;

function unlessBands({ queue }: QueueFixture): string | undefined {
  return queue.capabilities.order === "bands" ? undefined : "its order is exact";
}

function idsByRank(entries: readonly QueueEntry[]): string[] {
  return idsOf([...entries].sort((a, b) => a.rank - b.rank || (a.id < b.id ? -1 : 1)) as never);
}

export const ordering: readonly QueueTest[] = [
  {
    name: "the lowest rank of a lane is handed out first, over the whole range of ranks",
    leaveOut: unlessExact,
    async run({ queue }) {
      const ranks = [1.7e12, -1e15, 1.7e12 + 1, 0, -1, 2 ** 52, 1, -1e15 + 1, 1.7e12 - 36_000_000];
      const entries = ranks.map((rank, at) => entryOf(`t${9 - at}`, { rank }));
      await queue.enqueue(entries);
      assert.deepEqual(idsOf(await take(queue)), idsByRank(entries));
    },
  },
  {
    name: "entries of one rank are handed out in the order of their ids",
    leaveOut: unlessExact,
    async run({ queue }) {
      const entries = ["b", "a-", "A", "a_", "c", "a", "B", "10", "9", "a0"].map((id) => entryOf(id));
      await queue.enqueue(entries);
      assert.deepEqual(idsOf(await take(queue)), idsByRank(entries));
    },
  },
  {
    name: "the lowest rank of all lanes that are asked for is handed out first",
    leaveOut: unlessExact,
    async run({ queue }) {
      const lanes = ["n", "m", "m", "o", "n", "m", "n"];
      const entries = lanes.map((lane, rank) => entryOf(`t${9 - rank}`, { lane, rank }));
      await queue.enqueue(entries);
      assert.deepEqual(idsOf(await take(queue, ["o", "m", "n"], { max: 3 })), idsByRank(entries).slice(0, 3));
      assert.deepEqual(idsOf(await take(queue, ["m", "n", "o"])), idsByRank(entries).slice(3));
    },
  },
  {
    name: "with an order by bands, a rank of ten hours ago is handed out before those of now, in every lane",
    leaveOut: unlessBands,
    async run({ queue }) {
      const nowMs = Date.now();
      const urgent = nowMs - TEN_HOURS_MS;
      await queue.enqueue([
        entryOf("a", { rank: nowMs }),
        entryOf("b", { rank: nowMs, lane: "n" }),
        entryOf("c", { rank: urgent, lane: "n" }),
      ]);
      await queue.enqueue([entryOf("d", { rank: nowMs + 1 }), entryOf("e", { rank: urgent + 1 })]);
      const first = idsOf(await take(queue, ["m", "n"], { max: 1 }));
      const second = idsOf(await take(queue, ["m", "n"], { max: 1 }));
      assert.deepEqual([...first, ...second].sort(), ["c", "e"]);
      assert.deepEqual(idsOf(await take(queue, ["m"])), ["a", "d"]);
    },
  },
  {
    name: "with an order by bands, what is of one band is handed out in the order in which it came",
    leaveOut: unlessBands,
    async run({ queue }) {
      const rank = Date.now();
      const ids = Array.from({ length: 30 }, (_, at) => `t${(at * 7) % 30}`);
      await queue.enqueue(ids.slice(0, 12).map((id) => entryOf(id, { rank })));
      await queue.enqueue(ids.slice(12).map((id) => entryOf(id, { rank })));
      const first = idsOf(await take(queue, ["m"], { max: 5 }));
      assert.deepEqual([...first, ...idsOf(await take(queue))], ids);
    },
  },
  {
    name: "a take hands out no more than is asked for of each lane and in all",
    async run({ queue }) {
      const entries = Array.from({ length: 20 }, (_, at) => entryOf(`t${at}`, { lane: at < 10 ? "m" : "n" }));
      await queue.enqueue(entries);
      const lanes = [
        { lane: "m", max: 2, background: false },
        { lane: "n", max: 5, background: false },
        { lane: "empty", max: 5, background: false },
      ];
      const laneCounts = async (max: number): Promise<[number, number]> => {
        const deliveries = await take(queue, [], { lanes, max });
        const ofLane = (lane: string) => deliveries.filter((each) => each.lane === lane).length;
        assert.equal(ofLane("m") + ofLane("n"), deliveries.length);
        return [ofLane("m"), ofLane("n")];
      };
      const [ofM, ofN] = await laneCounts(4);
      assert.ok(ofM <= 2 && ofM + ofN === 4, `${ofM} of lane m and ${ofN} of lane n`);
      assert.deepEqual(await laneCounts(0), [0, 0]);
      assert.deepEqual(await laneCounts(100), [2, 5]);
    },
  },
  {
    name: "a take resolves at once with nothing when nothing is there",
    async run({ queue }) {
      assert.deepEqual(await take(queue), []);
      await queue.enqueue([entryOf("a")]);
      assert.deepEqual(await take(queue, ["n", "o"]), []);
      assert.deepEqual(await take(queue, []), []);
    },
  },
  {
    name: "background entries lie in lanes of their own",
    async run({ queue }) {
      await queue.enqueue([entryOf("a"), entryOf("train", { background: true })]);
      const [train] = await take(queue, ["m"], { background: true });
      assert.deepEqual([train?.id, train?.background], ["train", true]);
      assert.deepEqual(idsOf(await take(queue)), ["a"]);
    },
  },
  {
    name: "a large batch is handed out once, whole",
    async run({ queue }) {
      const entries = Array.from({ length: 1000 }, (_, rank) => entryOf(`t${rank}`, { rank }));
      await queue.enqueue(entries);
      const ids: string[] = [];
      for (let takes = 0; takes < 20; takes += 1) ids.push(...idsOf(await take(queue, ["m"], { max: 64 })));
      assert.deepEqual(sorted(ids), sorted(entries.map(({ id }) => id)));
    },
  },
];
