import assert from "node:assert/strict";
import { abandoned, BUSY, LONG_MS, newTask, refOf, returned, SHORT_MS, wantOf } from "../support/builders.ts";
import { elapse, matches, read } from "../support/checks.ts";
import { brief, KitRunner } from "../support/kit-runner.ts";
import type { LedgerTest } from "./fixture.ts";

export const returning: readonly LedgerTest[] = [
  {
    name: "a task that is handed back keeps its rank",
    async run(fixture) {
      const { ledger } = fixture;
      const runner = new KitRunner(ledger);
      await ledger.submit([newTask("a")]);
      await elapse(fixture, 5);
      await ledger.submit([newTask("b")]);
      const { rank } = await read(ledger, "a");
      const grant = await runner.grant(wantOf("s", { max: 1 }));
      assert.equal(grant.task.id, "a");
      await elapse(fixture, 5);
      await runner.settle(returned(grant));
      matches(await read(ledger, "a"), { state: "pending", rank, holder: undefined }, "the task");
      if (ledger.capabilities.order !== "exact") return;
      assert.deepEqual(brief(await runner.grants(wantOf("s", { max: 1 }))), ["a@s#2"]);
    },
  },
  {
    name: "to be handed back without counting is no failure, however often, and leaves its reason",
    async run({ ledger }) {
      const runner = new KitRunner(ledger);
      await ledger.submit([newTask("a", { maxFailures: 1 })]);
      for (let attempt = 1; attempt <= 3; attempt += 1)
        assert.deepEqual(await runner.settle(returned(await runner.grant(wantOf("s")))), ["accepted"]);
      matches(await read(ledger, "a"), { state: "pending", failures: 0, lostAttempts: 0 }, "the task");
      matches((await read(ledger, "a")).error, BUSY, "the last error");
    },
  },
  {
    name: "counted failures add up, and the last one that is allowed ends the task",
    async run({ ledger }) {
      const runner = new KitRunner(ledger);
      await ledger.submit([newTask("a", { maxFailures: 3 })]);
      for (let failures = 1; failures <= 3; failures += 1) {
        await runner.settle(returned(await runner.grant(wantOf("s")), { counts: true }));
        const state = failures < 3 ? "pending" : "failed";
        matches(await read(ledger, "a"), { state, failures }, "the task");
      }
      assert.equal((await read(ledger, "a")).error?.code, "ATTEMPTS_EXHAUSTED");
      assert.deepEqual(await runner.grants(wantOf("s")), []);
    },
  },
  {
    name: "a task that is handed back with a delay is granted after it, and not before",
    async run(fixture) {
      const { ledger } = fixture;
      const runner = new KitRunner(ledger);
      await ledger.submit([newTask("a"), newTask("b")]);
      for (const grant of await runner.grants(wantOf("s", { max: 2 }))) {
        const delayMs = grant.task.id === "a" ? LONG_MS : SHORT_MS;
        await runner.settle(returned(grant, { delayMs }));
      }
      await elapse(fixture, SHORT_MS);
      assert.deepEqual(brief(await runner.grants(wantOf("s"))), ["b@s#2"]);
    },
  },
  {
    name: "a task whose cancel was requested ends when its holder lets go of it",
    async run({ ledger }) {
      const runner = new KitRunner(ledger);
      await ledger.submit(["back", "left"].map((id) => newTask(id, { model: id })));
      const back = await runner.grant(wantOf("s", { models: ["back"] }));
      const left = await runner.grant(wantOf("s", { models: ["left"] }));
      const ids = ["back", "left"];
      const amended = await ledger.amend(ids.map((id) => ({ kind: "cancel", id })));
      for (const { outcome } of amended) assert.equal(outcome, "requested");
      assert.deepEqual(await runner.settle(returned(back), abandoned(left)), ["accepted", "accepted"]);
      for (const id of ids) assert.equal((await read(ledger, id)).state, "cancelled", id);
      assert.deepEqual(await runner.grants(wantOf("s", { models: ids })), []);
    },
  },
  {
    name: "the holder of a task whose cancel was requested may still end it otherwise",
    async run({ ledger }) {
      const runner = new KitRunner(ledger);
      await ledger.submit([newTask("a")]);
      const grant = await runner.grant(wantOf("s"));
      await ledger.amend([{ kind: "cancel", id: "a" }]);
      const result = { sizeBytes: 0, inline: new Uint8Array() };
      const ending = { ...refOf(grant), kind: "succeeded", result, releaseHold: true } as const;
      assert.deepEqual(await runner.settle(ending), ["accepted"]);
      assert.equal((await read(ledger, "a")).state, "succeeded");
    },
  },
];
