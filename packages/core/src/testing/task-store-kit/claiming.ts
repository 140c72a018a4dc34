import assert from "node:assert/strict";
import { LONG_MS, newTask, newTraining, returned, SHORT_MS, succeeded } from "../support/builders.ts";
import { elapse, isNear, matches, read, rejectsWith } from "../support/checks.ts";
import type { TaskStoreTest } from "./fixture.ts";
import { brief, claimOf, StoreRunner } from "./support.ts";

export const claiming: readonly TaskStoreTest[] = [
  {
    name: "a claim takes the first of its servers that has a free slot, and is full when none has",
    async run({ store }) {
      const runner = new StoreRunner(store);
      const ids = ["a", "b", "c", "d", "e"];
      await store.insert(ids.map((id) => newTask(id)));
      await runner.apply();
      const servers = [
        ["s", 1],
        ["t", 2],
      ] as const;
      const first = await runner.claim(...ids.slice(0, 2).map((id) => claimOf(id, ...servers)));
      const second = await runner.claim(...ids.slice(2).map((id) => claimOf(id, ...servers)));
      assert.deepEqual(brief([...first, ...second]), [
        ...["granted s#1", "granted t#1", "granted t#1", "full", "full"],
      ]);
      for (const id of ["d", "e"]) matches(await read(store, id), { state: "pending", attempt: 0 }, id);
    },
  },
  {
    name: "a claim of what does not wait is gone: granted, ended or unknown",
    async run({ store }) {
      const runner = new StoreRunner(store);
      await store.insert(["held", "ended", "cancelled", "a"].map((id) => newTask(id)));
      await runner.grant("held");
      await runner.apply({ settle: [succeeded(await runner.grant("ended"))] });
      await store.amend([{ kind: "cancel", id: "cancelled" }]);
      const ids = ["held", "ended", "cancelled", "nobody", "a"];
      const outcomes = await runner.claim(...ids.map((id) => claimOf(id)));
      assert.deepEqual(brief(outcomes), ["gone", "gone", "gone", "gone", "granted s#1"]);
      assert.equal((await read(store, "held")).attempt, 1);
    },
  },
  {
    name: "a claim that comes during a delay is told how long it lasts",
    async run(fixture) {
      const { store } = fixture;
      const runner = new StoreRunner(store);
      await store.insert([newTask("long"), newTask("short")]);
      const long = returned(await runner.grant("long"), { delayMs: LONG_MS });
      const short = returned(await runner.grant("short"), { delayMs: SHORT_MS });
      await runner.apply({ settle: [long, short] });
      await elapse(fixture, SHORT_MS);
      const outcomes = await runner.claim(claimOf("long"), claimOf("short"));
      assert.deepEqual(brief(outcomes), ["not_yet", "granted s#2"]);
      assert.ok(outcomes[0]?.outcome === "not_yet" && outcomes[0].delayMs <= LONG_MS - SHORT_MS);
      isNear(outcomes[0].delayMs, LONG_MS, "delayMs");
    },
  },
  {
    name: "a claim of background work takes the hold of the first server that has it, and no slot",
    async run({ store }) {
      const runner = new StoreRunner(store);
      await store.insert([newTask("a"), ...["b", "c", "d"].map((id) => newTraining(id))]);
      await runner.apply();
      const servers = [
        ["s", 1],
        ["t", 1],
      ] as const;
      const outcomes = await runner.claim(
        claimOf("a", ["s", 1]),
        ...["b", "c", "d"].map((id) => claimOf(id, ...servers)),
      );
      assert.deepEqual(brief(outcomes), ["granted s#1", "granted s#1", "granted t#1", "full"]);
    },
  },
  {
    name: "a claim counts only under the sequence that its runner applied last, else it is stale and takes nothing",
    async run({ store }) {
      const runner = new StoreRunner(store);
      await store.insert([newTask("a")]);
      await runner.apply();
      await runner.apply();
      const request = runner.claimRequest(claimOf("a"));
      const stale = [
        { ...request, sequence: 1 },
        { ...request, sequence: 3 },
        { ...request, incarnation: "zero" },
        { ...request, runner: "nobody" },
      ];
      for (const each of stale) await rejectsWith("STALE_RUNNER", store.claim(each));
      matches(await read(store, "a"), { state: "pending", attempt: 0 }, "the task");
      assert.deepEqual(brief(await store.claim(request)), ["granted s#1"]);
    },
  },
];
