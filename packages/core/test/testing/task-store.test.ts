import { describe, expect, it } from "vitest";
import { describeKit, runKitTest } from "../../src/testing/kit/kit.ts";
import { taskStoreKit } from "../../src/testing/task-store-kit/task-store-kit.ts";
import { memoryFixture, sharedFixture } from "./task-store-fixtures.ts";

describeKit({ describe, it }, taskStoreKit, "memory", () => memoryFixture(20_000));
describeKit({ describe, it }, taskStoreKit, "memory in the guise of a shared one", () => sharedFixture());

describe("the task store kit", () => {
  it("leaves out nothing of a store that claims everything", async () => {
    const leftOut: string[] = [];
    for (const { name, leaveOut } of taskStoreKit.tests) {
      const why = await runKitTest({ name, leaveOut, run: async () => {} }, () => sharedFixture());
      if (why !== undefined) leftOut.push(name);
    }
    expect(leftOut).toEqual([]);
  });

  it("names each rule once", () => {
    const names = taskStoreKit.tests.map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
  });
});
