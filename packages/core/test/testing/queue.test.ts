import { describe, expect, it } from "vitest";
import { describeKit, runKitTest } from "../../src/testing/kit/kit.ts";
import { queueKit } from "../../src/testing/queue-kit/queue-kit.ts";
import { memoryFixture, sharedFixture } from "./queue-fixtures.ts";

describeKit({ describe, it }, queueKit, "memory", memoryFixture);
describeKit({ describe, it }, queueKit, "memory in the guise of a shared one", () => sharedFixture());

describeKit({ describe, it }, queueKit, "memory that claims no more than bands", () =>
  sharedFixture(undefined, "bands"),
);

describe("the queue kit", () => {
  it("leaves out nothing of a queue that claims everything", async () => {
    const leftOut: string[] = [];
    for (const { name, leaveOut } of queueKit.tests) {
      const why = await runKitTest({ name, leaveOut, run: async () => {} }, () => sharedFixture());
      if (why !== undefined) leftOut.push(`${name}: ${why}`);
    }
    expect(leftOut).toEqual([expect.stringMatching(/^with an order by bands.*its order is exact$/)]);
  });

  it("names each rule once", () => {
    const names = queueKit.tests.map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
  });
});
