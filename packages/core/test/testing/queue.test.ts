import { describe, expect, it } from "vitest";
import { describeKit, runKitTest } from "../../src/testing/kit/kit.ts";
import type { QueueFixture } from "../../src/testing/queue-kit/fixture.ts";
import { queueKit } from "../../src/testing/queue-kit/queue-kit.ts";
import { bandedFixture, memoryFixture, sharedFixture } from "./queue-fixtures.ts";

describeKit({ describe, it }, queueKit, "memory", memoryFixture);
describeKit({ describe, it }, queueKit, "memory in the guise of a shared one", () => sharedFixture());

describeKit({ describe, it }, queueKit, "a broker in memory that orders by bands", () => bandedFixture());
describeKit(
  { describe, it },
  queueKit,
  "a broker in memory that orders by bands and shows what it loses",
  () => bandedFixture(undefined, "loseAll"),
);

describe("the queue kit", () => {
  const leftOutOf = async (open: () => QueueFixture): Promise<string[]> => {
    const leftOut: string[] = [];
    for (const { name, leaveOut } of queueKit.tests) {
      const why = await runKitTest({ name, leaveOut, run: async () => {} }, open);
      if (why !== undefined) leftOut.push(`${name}: ${why}`);
    }
    return leftOut;
  };

  it("leaves out what is meant for another kind of queue, and nothing else", async () => {
    const ofKeyed = await leftOutOf(() => sharedFixture());
    for (const each of ofKeyed) expect(each).toMatch(/: its (order is exact|entries are found by their id)$/);
    expect(ofKeyed).toHaveLength(8);
    const ofBanded = await leftOutOf(() => bandedFixture());
    for (const each of ofBanded)
      expect(each).toMatch(/: (it claims an order by bands only|its entries are not found by their id)$/);
    expect(ofBanded).toHaveLength(16);
  });

  it("names each rule once", () => {
    const names = queueKit.tests.map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
  });
});
