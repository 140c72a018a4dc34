import assert from "node:assert/strict";
import { newTask, newTraining, wantOf } from "../support/builders.ts";
import { sorted } from "../support/checks.ts";
import { brief, KitRunner } from "../support/kit-runner.ts";
import type { LedgerTest } from "./fixture.ts";

/** What a ledger decides, and a task store leaves to whoever claims. */
export const choosing: readonly LedgerTest[] = [
  {
    name: "a server is given no more in one exchange than it may start now",
    async run({ ledger }) {
      const runner = new KitRunner(ledger);
      await ledger.submit(["a", "b", "c", "d", "e"].map((id) => newTask(id)));
      assert.deepEqual(await runner.grants(wantOf("s", { limit: 9, max: 0 })), []);
      assert.deepEqual(await runner.grants(), []);
      const want = [wantOf("s", { limit: 9, max: 2 }), wantOf("t", { limit: 9, max: 1 })];
      const servers = (await runner.grants(...want)).map(({ server }) => server);
      assert.deepEqual(sorted(servers), ["s", "s", "t"]);
    },
  },
  {
    name: "of servers with equal load the one of the lowest cost is given the task",
    async run({ ledger }) {
      await ledger.submit([newTask("a")]);
      const want = [wantOf("s", { cost: 5 }), wantOf("t", { cost: 1 }), wantOf("u", { cost: 3 })];
      assert.deepEqual(brief(await new KitRunner(ledger).grants(...want)), ["a@t#1"]);
    },
  },
  {
    name: "background work goes only to a server that wants it",
    async run({ ledger }) {
      const runner = new KitRunner(ledger);
      await ledger.submit([newTraining("train"), newTask("a")]);
      assert.deepEqual(brief(await runner.grants(wantOf("s", { background: false }))), ["a@s#1"]);
      assert.deepEqual(brief(await runner.grants(wantOf("s"))), ["train@s#1"]);
    },
  },
  {
    name: "an exchange sees what was submitted right before it",
    leaveOut: ({ ledger }) =>
      ledger.capabilities.inOrder ? undefined : "it does not claim to work in order",
    async run({ ledger }) {
      const runner = new KitRunner(ledger);
      const [, grants] = await Promise.all([ledger.submit([newTask("a")]), runner.grants(wantOf("s"))]);
      assert.deepEqual(brief(grants), ["a@s#1"]);
    },
  },
];
