import assert from "node:assert/strict";
import type { Ledger, ServerWant } from "../../contracts/ledger.ts";
import type { TaskRecord } from "../../contracts/task.ts";
import { newTask, wantOf } from "../support/builders.ts";
import { accepted, elapse, sorted } from "../support/checks.ts";
import { brief, KitRunner } from "../support/kit-runner.ts";
import { type LedgerFixture, type LedgerTest, unlessExact } from "./fixture.ts";

/** The ids in the order in which they are granted, one by one. */
async function grantOrder(ledger: Ledger, want: ServerWant): Promise<string[]> {
  const runner = new KitRunner(ledger);
  const ids: string[] = [];
  for (;;) {
    const grants = await runner.grants({ ...want, limit: 999, max: 1 });
    if (grants.length === 0) return ids;
    assert.ok(ids.length < 999, "it grants without an end");
    ids.push(...grants.map(({ task }) => task.id));
  }
}

function idsByRank(tasks: readonly TaskRecord[]): string[] {
  const byRank = [...tasks].sort((a, b) => a.rank - b.rank || (a.id < b.id ? -1 : 1));
  return byRank.map(({ id }) => id);
}

/** Accepts tasks one after the other, each a little younger than the last. */
async function submitInTurn(
  fixture: LedgerFixture,
  lanes: readonly string[],
): Promise<readonly TaskRecord[]> {
  const records: TaskRecord[] = [];
  for (const [at, model] of lanes.entries()) {
    records.push(...accepted(await fixture.ledger.submit([newTask(`t${at}`, { model })])));
    await elapse(fixture, 5);
  }
  return records;
}

export const order: readonly LedgerTest[] = [
  {
    name: "the lowest rank of a lane goes first, and a rank is createdAtMs − priority × boostMs",
    leaveOut: unlessExact,
    async run({ ledger }) {
      const ranked = [
        { priority: 0, boostMs: 1000 },
        { priority: 10, boostMs: 90 },
        { priority: 3, boostMs: 1e14 },
        { priority: 1, boostMs: 1000 },
        { priority: 10, boostMs: 1e14 },
        { priority: 2, boostMs: 350 },
      ];
      const records = accepted(await ledger.submit(ranked.map((parts, at) => newTask(`t${at}`, parts))));
      for (const [at, { priority, boostMs }] of ranked.entries())
        assert.equal(records[at]?.rank, (records[at]?.createdAtMs ?? 0) - priority * boostMs);
      assert.deepEqual(await grantOrder(ledger, wantOf("s")), idsByRank(records));
    },
  },
  {
    name: "tasks of one rank go in the order of their ids",
    leaveOut: unlessExact,
    async run({ ledger }) {
      const ids = ["b", "a-", "A", "a_", "c", "a", "B", "10", "9", "a0"];
      const records = accepted(await ledger.submit(ids.map((id) => newTask(id))));
      assert.deepEqual(await grantOrder(ledger, wantOf("s")), idsByRank(records));
    },
  },
  {
    name: "the lowest rank of all lanes of a server goes first",
    leaveOut: unlessExact,
    async run(fixture) {
      const lanes = Array.from({ length: 40 }, (_, at) => `lane-${(at * 7) % 20}`);
      const records = await submitInTurn(fixture, lanes);
      const granted = await grantOrder(fixture.ledger, wantOf("s", { models: [...new Set(lanes)].sort() }));
      assert.deepEqual(granted, idsByRank(records));
    },
  },
  {
    name: "the lowest rank goes first also among lanes that share some of their servers",
    leaveOut: unlessExact,
    async run(fixture) {
      await submitInTurn(fixture, ["m", "m", "n"]);
      const shared = wantOf("s", { limit: 1, models: ["n", "m"] });
      const grants = await new KitRunner(fixture.ledger).grants(shared, wantOf("t", { limit: 1 }));
      assert.deepEqual(sorted(grants.map(({ task }) => task.id)), ["t0", "t1"]);
    },
  },
  {
    name: "with an order by bands, the most urgent task goes before the least urgent of the same age",
    leaveOut: ({ ledger }) => (ledger.capabilities.order === "bands" ? undefined : "its order is exact"),
    async run({ ledger }) {
      const batch = [0, 10, 0].map((priority, at) => newTask(`t${at}`, { priority, boostMs: 1e14 }));
      accepted(await ledger.submit(batch));
      const first = await new KitRunner(ledger).grants(wantOf("s", { max: 1 }));
      assert.deepEqual(brief(first), ["t1@s#1"]);
    },
  },
  {
    name: "a lane without a free slot holds up no other",
    async run(fixture) {
      await submitInTurn(fixture, ["nowhere", "full", "full", "free"]);
      const runner = new KitRunner(fixture.ledger);
      const full = wantOf("s", { limit: 1, models: ["full"] });
      await runner.grant(full);
      const free = wantOf("t", { limit: 1, models: ["free"] });
      assert.deepEqual(brief(await runner.grants(full, free)), ["t3@t#1"]);
    },
  },
];
