import assert from "node:assert/strict";
import {
  newTask,
  newTraining,
  PAYLOAD,
  RESULT,
  returned,
  running,
  succeeded,
  wantOf,
} from "../support/builders.ts";
import { accepted, matches, plain, read, sameBytes } from "../support/checks.ts";
import { brief, KitRunner } from "../support/kit-runner.ts";
import { type LedgerTest, reopened, unlessDurable } from "./fixture.ts";

export const durability: readonly LedgerTest[] = [
  {
    name: "what was accepted is there when the ledger is opened again",
    leaveOut: unlessDurable,
    async run(fixture) {
      const ids = Array.from({ length: 20 }, (_, at) => `t${at}`);
      const before = plain(accepted(await fixture.ledger.submit(ids.map((id) => newTask(id)))));
      const ledger = await reopened(fixture);
      const found = await ledger.get(ids, { bodies: "payload" });
      for (const [at, task] of found.entries()) {
        sameBytes(task?.payload.inline, PAYLOAD, `the payload of ${ids[at]}`);
        const { state, rank, createdAtMs, deadlineAtMs } = before[at] ?? {};
        matches(task as object, { state, rank, createdAtMs, deadlineAtMs }, `${ids[at]}`);
      }
    },
  },
  {
    name: "endings, results, attempts, runs and holds are there when the ledger is opened again",
    leaveOut: unlessDurable,
    async run(fixture) {
      const runner = new KitRunner(fixture.ledger);
      await fixture.ledger.submit([newTask("ended"), newTask("waits"), newTraining("runs")]);
      const grants = await runner.grants(wantOf("s"));
      const [ended, waits, runs] = ["ended", "waits", "runs"].map((id) => {
        return grants.find(({ task }) => task.id === id);
      });
      assert.ok(ended !== undefined && waits !== undefined && runs !== undefined);
      await runner.settle(
        succeeded(ended),
        returned(waits, { counts: true }),
        running(runs, { runId: "run 1" }),
      );
      await fixture.ledger.amend([{ kind: "reprioritise", id: "waits", priority: 9, boostMs: 1000 }]);
      const { rank } = await read(fixture.ledger, "waits");
      await fixture.ledger.submit([newTraining("next")]);

      const ledger = await reopened(fixture);
      const { result, state } = await read(ledger, "ended", "result");
      assert.equal(state, "succeeded");
      sameBytes(result?.inline, RESULT.inline ?? new Uint8Array(), "the result");
      matches(await read(ledger, "waits"), { state: "pending", rank, priority: 9, failures: 1 }, "waits");
      matches(await read(ledger, "runs"), { state: "running", runId: "run 1", attempt: 1 }, "runs");
      const later = new KitRunner(ledger, "later");
      assert.deepEqual(brief(await later.grants(wantOf("s"))), ["waits@s#2"], "the server is still held");
    },
  },
];
