import assert from "node:assert/strict";
import { newTask, newTraining, running, succeeded, wantOf } from "../support/builders.ts";
import { plain, read, rejectsWith, sorted } from "../support/checks.ts";
import { brief, KitRunner } from "../support/kit-runner.ts";
import { type LedgerTest, pairOf, reopened, unlessDurable } from "./fixture.ts";

export const incarnations: readonly LedgerTest[] = [
  {
    name: "a runner that starts anew takes what it held before back at once",
    async run(fixture) {
      const [ledger, other] = await pairOf(fixture);
      const runner = new KitRunner(ledger);
      await ledger.submit([newTask("a"), newTraining("train", { model: "n" })]);
      const want = [wantOf("s", { limit: 1 }), wantOf("t", { models: ["n"] })];
      const grants = await runner.grants(...want);
      const training = grants.filter(({ task }) => task.background);
      await runner.settle(...training.map((grant) => running(grant)));
      runner.ledger = other;
      runner.restart("two");
      const again = await runner.exchange({ want, recover: 9 });
      assert.deepEqual(sorted(brief(again.grants)), ["a@s#2", "recover train@t#2"]);
    },
  },
  {
    name: "an earlier incarnation of a runner is stale, and nothing of its exchange is done",
    async run(fixture) {
      const [ledger, other] = await pairOf(fixture);
      const earlier = new KitRunner(ledger);
      await ledger.submit([newTask("a")]);
      await earlier.exchange();
      const later = new KitRunner(other);
      later.restart("two");
      const grant = await later.grant(wantOf("s"));
      const before = plain(await read(ledger, "a"));
      await ledger.submit([newTask("b")]);
      await rejectsWith(
        "STALE_RUNNER",
        earlier.exchange({ settle: [succeeded(grant)], want: [wantOf("s")] }),
      );
      assert.deepEqual(plain(await read(ledger, "a")), before);
      assert.equal((await read(ledger, "b")).state, "pending");
    },
  },
  {
    name: "an earlier sequence of a runner is stale, and nothing of its exchange is done",
    async run(fixture) {
      const [ledger, other] = await pairOf(fixture);
      const runner = new KitRunner(ledger);
      await ledger.submit([newTask("a")]);
      const late = runner.next({ want: [wantOf("s")] });
      const grant = await runner.grant(wantOf("s"));
      await ledger.submit([newTask("b")]);
      const before = plain(await read(ledger, "a"));
      await rejectsWith("STALE_RUNNER", other.exchange({ ...late, settle: [succeeded(grant)] }));
      assert.deepEqual(plain(await read(ledger, "a")), before);
      assert.equal((await read(ledger, "b")).state, "pending");
    },
  },
  {
    name: "an earlier sequence is stale also after the ledger was opened again",
    leaveOut: unlessDurable,
    async run(fixture) {
      const runner = new KitRunner(fixture.ledger);
      const late = runner.next();
      await runner.exchange();
      await fixture.ledger.submit([newTask("a")]);
      const ledger = await reopened(fixture);
      await rejectsWith("STALE_RUNNER", ledger.exchange(late));
    },
  },
];
