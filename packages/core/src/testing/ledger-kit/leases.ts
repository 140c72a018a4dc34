import assert from "node:assert/strict";
import { LONG_MS, newTask, refOf, SHORT_MS, succeeded, wantOf } from "../support/builders.ts";
import { elapse, isNear, matches, read } from "../support/checks.ts";
import { brief, KitRunner } from "../support/kit-runner.ts";
import { type LedgerTest, pairOf, sweepAll } from "./fixture.ts";

export const leases: readonly LedgerTest[] = [
  {
    name: "a renewed lease lasts from its renewal",
    async run(fixture) {
      const [ledger, other] = await pairOf(fixture);
      const runner = new KitRunner(ledger);
      await ledger.submit([newTask("a")]);
      const grant = await runner.grant(wantOf("s"), { leaseMs: SHORT_MS });
      const { renewed, nowMs } = await runner.exchange({ renew: [{ ...refOf(grant), sent: false }] });
      assert.deepEqual(renewed, [{ outcome: "accepted" }]);
      isNear((await read(ledger, "a")).leaseExpiresAtMs, nowMs + LONG_MS, "leaseExpiresAtMs");
      await elapse(fixture, SHORT_MS);
      assert.deepEqual((await sweepAll(other)).returned, []);
      assert.deepEqual(await runner.settle(succeeded(grant)), ["accepted"]);
    },
  },
  {
    name: "a task whose lease has ended is taken back by a sweep, and that is no failure of it",
    async run(fixture) {
      const [ledger, other] = await pairOf(fixture);
      const runner = new KitRunner(ledger);
      await ledger.submit([newTask("a", { maxFailures: 1 }), newTask("kept", { model: "n" })]);
      await runner.grant(wantOf("s"), { leaseMs: SHORT_MS });
      await runner.grant(wantOf("s", { models: ["n"] }));
      await elapse(fixture, SHORT_MS);
      const { returned } = await sweepAll(other);
      assert.deepEqual(
        returned.map(({ id, state, attempt }) => ({ id, state, attempt })),
        [{ id: "a", state: "pending", attempt: 1 }],
      );
      matches(await read(ledger, "a"), { failures: 0, lostAttempts: 1, holder: undefined }, "the task");
      assert.equal((await read(ledger, "kept")).state, "scheduled");
      assert.deepEqual(brief(await new KitRunner(other, "other").grants(wantOf("s"))), ["a@s#2"]);
    },
  },
  {
    name: "a lease that ends after its payload had begun to leave counts as a failure",
    async run(fixture) {
      const { ledger } = fixture;
      const runner = new KitRunner(ledger);
      await ledger.submit([newTask("once", { maxFailures: 1 }), newTask("again")]);
      const grants = await runner.grants(wantOf("s"));
      const renew = grants.map((grant) => ({ ...refOf(grant), sent: true }));
      await runner.exchange({ renew, leaseMs: SHORT_MS });
      await elapse(fixture, SHORT_MS);
      const { returned, ended } = await sweepAll(ledger);
      assert.deepEqual(
        [returned, ended].map((tasks) => tasks.map(({ id }) => id)),
        [["again"], ["once"]],
      );
      matches(await read(ledger, "again"), { state: "pending", failures: 1 }, "the task");
      const failure = { state: "failed", failures: 1, endedBy: "ledger", holder: undefined } as const;
      matches(await read(ledger, "once"), failure, "the task");
    },
  },
  {
    name: "a task whose cancel was requested ends when its lease has ended",
    async run(fixture) {
      const { ledger } = fixture;
      await ledger.submit([newTask("a")]);
      await new KitRunner(ledger).grant(wantOf("s"), { leaseMs: SHORT_MS });
      await ledger.amend([{ kind: "cancel", id: "a" }]);
      await elapse(fixture, SHORT_MS);
      const { ended } = await sweepAll(ledger);
      assert.deepEqual(
        ended.map(({ id, state, endedBy }) => [id, state, endedBy]),
        [["a", "cancelled", "ledger"]],
      );
    },
  },
];
