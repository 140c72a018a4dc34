import assert from "node:assert/strict";
import type { Ledger, TaskFilter } from "../../contracts/ledger.ts";
import type { TaskRecord } from "../../contracts/task.ts";
import { newTask, running, succeeded, wantOf } from "../support/builders.ts";
import { accepted, elapse, rejectsWith, sorted } from "../support/checks.ts";
import { KitRunner } from "../support/kit-runner.ts";
import { NEAR_NAMES } from "../support/samples.ts";
import type { LedgerTest } from "./fixture.ts";

/** All items by cursor, in pages of so many. */
async function walk(ledger: Ledger, limit: number, filter?: TaskFilter): Promise<TaskRecord[]> {
  const items: TaskRecord[] = [];
  let cursor: string | undefined;
  for (let pages = 0; pages < 1000; pages += 1) {
    const page = await ledger.list({ filter, limit, cursor });
    assert.ok(page.items.length <= limit, `${page.items.length} items on a page of ${limit}`);
    items.push(...page.items);
    cursor = page.nextCursor;
    if (cursor === undefined) return items;
  }
  return assert.fail("the listing has no last page");
}

export const listing: readonly LedgerTest[] = [
  {
    name: "a listing goes from the newest to the oldest, those of one instant by id",
    async run(fixture) {
      const { ledger } = fixture;
      const empty = await ledger.list();
      assert.deepEqual([empty.items, empty.nextCursor], [[], undefined]);
      const records: TaskRecord[] = [];
      for (const batch of [["b", "a", "c"], ["d"], ["A", "_", "9", "10"]]) {
        records.push(...accepted(await ledger.submit(batch.map((id) => newTask(id)))));
        await elapse(fixture, 5);
      }
      const newestFirst = records.sort((a, b) => b.createdAtMs - a.createdAtMs || (a.id > b.id ? -1 : 1));
      const expected = newestFirst.map(({ id }) => id);
      for (const limit of [1, 3, 8, 1000])
        assert.deepEqual(
          (await walk(ledger, limit)).map(({ id }) => id),
          expected,
          `pages of ${limit}`,
        );
    },
  },
  {
    name: "each filter of a listing holds exactly, and all of them together",
    async run(fixture) {
      const { ledger } = fixture;
      const runner = new KitRunner(ledger);
      await ledger.submit(NEAR_NAMES.map((owner, at) => newTask(`owner-${at}`, { owner, model: "o" })));
      await elapse(fixture, 5);
      const records = accepted(
        await ledger.submit([
          newTask("a"),
          newTask("b", { operation: "redact", owner: "anna" }),
          newTask("c", { model: "n", owner: "anna" }),
          newTask("d", { model: "n" }),
        ]),
      );
      const fromMs = Math.min(...records.map(({ createdAtMs }) => createdAtMs));
      await elapse(fixture, 5);
      const [late] = accepted(await ledger.submit([newTask("e", { owner: "anna" })]));
      const lateMs = late?.createdAtMs ?? 0;
      const grants = await runner.grants(wantOf("s", { max: 1, models: ["n"] }));
      await runner.settle(...grants.map((grant) => succeeded(grant)));
      const [second] = await runner.grants(wantOf("s", { max: 1, models: ["n"] }));
      if (second !== undefined) await runner.settle(running(second));
      const [ended, runs] = [grants[0]?.task.id ?? "", second?.task.id ?? ""];
      const expectations: [TaskFilter, readonly string[]][] = [
        [{ model: "m" }, ["a", "b", "e"]],
        [{ operation: "redact" }, ["b"]],
        [{ owner: "anna" }, ["b", "c", "e"]],
        [{ owner: "ann" }, []],
        ...NEAR_NAMES.map((owner, at): [TaskFilter, string[]] => [{ owner }, [`owner-${at}`]]),
        [{ states: ["succeeded"] }, [ended]],
        [{ states: ["succeeded", "running"] }, sorted([ended, runs])],
        [{ states: [] }, []],
        [{ states: ["pending"], model: "m" }, ["a", "b", "e"]],
        [{ createdFromMs: fromMs }, ["a", "b", "c", "d", "e"]],
        [{ createdFromMs: fromMs, createdBeforeMs: lateMs }, ["a", "b", "c", "d"]],
        [{ createdFromMs: lateMs }, ["e"]],
        [{ createdFromMs: lateMs + 1 }, []],
        [{ owner: "anna", model: "m", createdBeforeMs: lateMs, states: ["pending"] }, ["b"]],
        [{ owner: "anna", model: "m", operation: "process", createdFromMs: fromMs }, ["e"]],
      ];
      for (const [filter, ids] of expectations) {
        const found = (await walk(ledger, 2, filter)).map(({ id }) => id);
        assert.deepEqual(sorted(found), ids, JSON.stringify(filter));
      }
    },
  },
  {
    name: "a page has 1 to 1000 items, 100 unless it is told",
    async run({ ledger }) {
      await ledger.submit(Array.from({ length: 1001 }, (_, at) => newTask(`t${at}`)));
      assert.equal((await ledger.list()).items.length, 100);
      assert.equal((await ledger.list({ limit: 1000 })).items.length, 1000);
      assert.equal((await ledger.list({ limit: 1 })).items.length, 1);
      for (const limit of [0, -1, 1001, 1.5, Number.NaN])
        await rejectsWith("INVALID_REQUEST", ledger.list({ limit }));
    },
  },
  {
    name: "a cursor that no listing gave is an INVALID_REQUEST",
    async run({ ledger }) {
      await ledger.submit([newTask("a")]);
      for (const cursor of ["nonsense", "", "a.b", "\0", "%", "' OR 1=1 --"])
        await rejectsWith("INVALID_REQUEST", ledger.list({ cursor }));
    },
  },
];
