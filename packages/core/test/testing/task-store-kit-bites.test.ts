import { describe, expect, it } from "vitest";
import { ledgerKit } from "../../src/testing/ledger-kit/ledger-kit.ts";
import { taskStoreKit } from "../../src/testing/task-store-kit/task-store-kit.ts";
import { failuresOf, unprovenOf } from "./broken/failures.ts";
import { BROKEN_TASK_STORES } from "./broken/task-store/broken-task-stores.ts";
import { sharedFixture } from "./task-store-fixtures.ts";

describe("a broken task store fails the one test that names its fault", () => {
  for (const { fault, caughtBy, plant } of BROKEN_TASK_STORES) {
    it(fault, { timeout: 60_000 }, async () => {
      expect(await failuresOf(taskStoreKit, () => sharedFixture(plant))).toEqual([caughtBy]);
    });
  }

  it("and every test that it has to itself is proved by one", () => {
    const shared = new Set(ledgerKit.tests.map(({ name }) => name));
    expect(unprovenOf(taskStoreKit, BROKEN_TASK_STORES).filter((name) => !shared.has(name))).toEqual([]);
  });
});
