import assert from "node:assert/strict";
import type { TaskRecord } from "../../contracts/task.ts";
import type { DueLane, TaskStore } from "../../contracts/task-store.ts";
import { LONG_MS, newTask, newTraining, returned, SHORT_MS } from "../support/builders.ts";
import { elapse, sorted } from "../support/checks.ts";
import { NEAR_NAMES } from "../support/samples.ts";
import type { TaskStoreTest } from "./fixture.ts";
import { claimOf, StoreRunner } from "./support.ts";

/** How late a store may notice that a back-off is over. */
const LATE_MS = 1_000;

function lane(name: string, max: number, background = false): DueLane {
  return { lane: name, background, max };
}

async function dueOf(store: TaskStore, ...due: DueLane[]): Promise<string[]> {
  const { items } = await store.list({ due });
  return items.map(({ id }) => id);
}

function idsByRank(tasks: readonly TaskRecord[]): string[] {
  return [...tasks].sort((a, b) => a.rank - b.rank || (a.id < b.id ? -1 : 1)).map(({ id }) => id);
}

export const dueTests: readonly TaskStoreTest[] = [
  {
    name: "what is due is listed lowest rank first over its lanes, at most so many of each",
    async run({ store }) {
      const tasks = Array.from({ length: 24 }, (_, at) =>
        newTask(`t${at}`, { model: `m${at % 3}`, priority: (at * 7) % 11 }),
      );
      await store.insert([...tasks, newTraining("train", { model: "m0" })]);
      const { items } = await store.list({ limit: 100 });
      const ofLane = (name: string): string[] =>
        idsByRank(items.filter(({ model, background }) => model === name && !background));
      assert.deepEqual(await dueOf(store, lane("m1", 1000)), ofLane("m1"));
      assert.deepEqual(await dueOf(store, lane("m0", 1000, true)), ["train"]);
      const expected = new Set([...ofLane("m0").slice(0, 2), ...ofLane("m2").slice(0, 5), "train"]);
      const told = await dueOf(store, lane("m0", 2), lane("m2", 5), lane("m0", 3, true), lane("nobody", 9));
      assert.deepEqual(told, idsByRank(items.filter(({ id }) => expected.has(id))));
      assert.deepEqual(await dueOf(store), []);
    },
  },
  {
    name: "a lane is walked by cursor in the order of its ranks, each task once",
    async run({ store }) {
      const name = NEAR_NAMES[0] ?? "m";
      const tasks = Array.from({ length: 53 }, (_, at) =>
        newTask(`t${at}`, { model: name, priority: at < 30 ? 5 : at % 11 }),
      );
      await store.insert([...tasks, newTask("other")]);
      const { items } = await store.list({ limit: 100 });
      const expected = idsByRank(items.filter(({ model }) => model === name));
      for (const max of [10, 53, 1000]) {
        const ids: string[] = [];
        let cursor: string | undefined;
        for (let pages = 0; pages < 60; pages += 1) {
          const page = await store.list({ due: [lane(name, max)], cursor });
          assert.ok(page.items.length <= max, `${page.items.length} on a page of ${max}`);
          ids.push(...page.items.map(({ id }) => id));
          cursor = page.nextCursor;
          if (cursor === undefined) break;
        }
        assert.deepEqual(ids, expected, `pages of ${max}`);
      }
    },
  },
  {
    name: "what is granted, has ended or is delayed is not due, until its back-off is over",
    async run(fixture) {
      const { store } = fixture;
      const runner = new StoreRunner(store);
      const ids = ["cancelled", "granted", "long", "short", "waits"];
      await store.insert(ids.map((id) => newTask(id)));
      await store.amend([{ kind: "cancel", id: "cancelled" }]);
      const long = returned(await runner.grant("long"), { delayMs: LONG_MS });
      const short = returned(await runner.grant("short"), { delayMs: SHORT_MS });
      await runner.apply({ settle: [long, short] });
      await runner.claim(claimOf("granted"));
      await elapse(fixture, SHORT_MS);
      for (let lateMs = 0; ; lateMs += SHORT_MS) {
        const due = sorted(await dueOf(store, lane("m", 100)));
        if (due.length > 1 || lateMs > LATE_MS) {
          assert.deepEqual(due, ["short", "waits"]);
          break;
        }
        assert.deepEqual(due, ["waits"]);
        await elapse(fixture, SHORT_MS);
      }
    },
  },
];
