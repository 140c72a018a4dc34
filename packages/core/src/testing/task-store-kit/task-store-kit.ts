import type { Kit } from "../kit/kit.ts";
import { rowTests } from "../ledger-kit/ledger-kit.ts";
import { applying } from "./applying.ts";
import { claiming } from "./claiming.ts";
import { dueTests } from "./due.ts";
import { asLedgerFixture, type TaskStoreFixture, type TaskStoreTest } from "./fixture.ts";
import { lifecycle } from "./lifecycle.ts";

/** What a store has to keep to like a ledger: everything but order and choice. */
const asLedger = rowTests.map((test): TaskStoreTest => {
  return {
    name: test.name,
    timeoutMs: test.timeoutMs,
    leaveOut: (fixture) => test.leaveOut?.(asLedgerFixture(fixture)),
    run: (fixture) => test.run(asLedgerFixture(fixture)),
  };
});

/** The rules of `TaskStore`, one test each. */
export const taskStoreKit: Kit<TaskStoreFixture> = {
  contract: "TaskStore",
  tests: [...asLedger, ...claiming, ...dueTests, ...applying, ...lifecycle],
};
