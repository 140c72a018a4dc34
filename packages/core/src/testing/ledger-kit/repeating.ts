import assert from "node:assert/strict";
import { abandoned, newTask, newTraining, returned, running, SHORT_MS, wantOf } from "../support/builders.ts";
import { elapse, matches, plain, read } from "../support/checks.ts";
import { brief, KitRunner } from "../support/kit-runner.ts";
import { type LedgerTest, pairOf, sweepAll } from "./fixture.ts";

/** Replies that were lost: the same exchange again, or the next one without it. */
export const repeating: readonly LedgerTest[] = [
  {
    name: "an exchange that is repeated gives the same grants, and no others",
    async run(fixture) {
      const [ledger, other] = await pairOf(fixture);
      const runner = new KitRunner(ledger);
      await ledger.submit(["a", "b", "c", "d"].map((id) => newTask(id)));
      const servers = ["s", "t"].map((server) => wantOf(server, { limit: 9, max: 1 }));
      const request = runner.next({ want: servers });
      const first = await ledger.exchange(request);
      assert.equal(first.grants.length, 2);
      for (const client of [ledger, other, ledger]) {
        const again = await client.exchange(request);
        assert.equal(again.sequence, request.sequence);
        assert.deepEqual(plain(again.grants), plain(first.grants));
      }
      runner.acknowledged = request.sequence;
      assert.equal((await runner.grants(wantOf("t"))).length, 2, "the others still wait");
    },
  },
  {
    name: "an exchange that is repeated settles once",
    async run({ ledger }) {
      const runner = new KitRunner(ledger);
      await ledger.submit([newTask("a")]);
      const settle = [returned(await runner.grant(wantOf("s")), { counts: true })];
      const request = runner.next({ settle });
      await ledger.exchange(request);
      await ledger.exchange(request);
      matches(await read(ledger, "a"), { state: "pending", attempt: 1, failures: 1 }, "the task");
    },
  },
  {
    name: "grants whose reply was lost go back as they were when the exchange is not repeated",
    async run(fixture) {
      const [ledger, other] = await pairOf(fixture);
      const runner = new KitRunner(ledger);
      await ledger.submit([newTask("a"), newTask("unwanted", { model: "n" })]);
      const { rank } = await read(ledger, "a");
      const unwanted = wantOf("t", { models: ["n"] });
      await ledger.exchange(runner.next({ want: [wantOf("s", { limit: 1 }), unwanted] }));
      await ledger.amend([{ kind: "cancel", id: "unwanted" }]);
      // Its reply never came, so that it is not acknowledged.
      assert.deepEqual((await runner.exchange()).grants, []);
      const untouched = { state: "pending", attempt: 1, failures: 0, lostAttempts: 0, rank } as const;
      matches(await read(ledger, "a"), { ...untouched, holder: undefined }, "the task");
      assert.equal((await read(ledger, "unwanted")).state, "cancelled", "its cancel was requested meanwhile");
      const grants = await new KitRunner(other, "other").grants(wantOf("s", { limit: 1 }));
      assert.deepEqual(brief(grants), ["a@s#2"]);
    },
  },
  {
    name: "a grant of background work whose reply was lost lets go of its server",
    async run({ ledger }) {
      const runner = new KitRunner(ledger);
      await ledger.submit([newTraining("train")]);
      await ledger.exchange(runner.next({ want: [wantOf("s")] }));
      await runner.exchange();
      assert.deepEqual(brief(await runner.grants(wantOf("s"))), ["train@s#2"]);
    },
  },
  {
    name: "a recovery whose reply was lost is to be recovered again",
    async run({ ledger }) {
      const runner = new KitRunner(ledger);
      await ledger.submit([newTraining("train")]);
      const grant = await runner.grant(wantOf("s"));
      await runner.settle(running(grant), abandoned(grant));
      await ledger.exchange(runner.next({ recover: 1 }));
      await runner.exchange();
      assert.deepEqual(brief((await runner.exchange({ recover: 1 })).grants), ["recover train@s#3"]);
    },
  },
  {
    name: "a repeated exchange does not give again what somebody else holds by now",
    async run(fixture) {
      const [ledger, other] = await pairOf(fixture);
      const runner = new KitRunner(ledger);
      await ledger.submit([newTask("a")]);
      const request = runner.next({ want: [wantOf("s")], leaseMs: SHORT_MS });
      assert.equal((await ledger.exchange(request)).grants.length, 1);
      await elapse(fixture, SHORT_MS);
      await sweepAll(other);
      assert.deepEqual(brief(await new KitRunner(other, "other").grants(wantOf("s"))), ["a@s#2"]);
      assert.deepEqual((await ledger.exchange(request)).grants, []);
      matches(await read(ledger, "a"), { state: "scheduled", attempt: 2 }, "the task");
    },
  },
];
