import { describe, expect, it } from "vitest";
import { describeKit, runKitTest } from "../../src/testing/kit/kit.ts";
import { ledgerKit } from "../../src/testing/ledger-kit/ledger-kit.ts";
import { composedFixture, memoryFixture, sharedFixture } from "./ledger-fixtures.ts";

describeKit({ describe, it }, ledgerKit, "memory", () => memoryFixture(20_000));
describeKit({ describe, it }, ledgerKit, "composed of a store and a queue in memory", () =>
  composedFixture(20_000),
);
describeKit({ describe, it }, ledgerKit, "composed of a store and a queue in bands that knows no ids", () =>
  composedFixture(2_000, "banded"),
);
describeKit({ describe, it }, ledgerKit, "memory in the guise of a shared one", () => sharedFixture());
describeKit({ describe, it }, ledgerKit, "memory that claims no more than bands", () =>
  sharedFixture(undefined, "bands"),
);

describe("the ledger kit", () => {
  it("leaves out nothing of a ledger that claims everything", async () => {
    const leftOut: string[] = [];
    for (const { name, leaveOut } of ledgerKit.tests) {
      const why = await runKitTest({ name, leaveOut, run: async () => {} }, () => sharedFixture());
      if (why !== undefined) leftOut.push(`${name}: ${why}`);
    }
    expect(leftOut).toEqual([expect.stringMatching(/^with an order by bands.*its order is exact$/)]);
  });

  it("names each rule once", () => {
    const names = ledgerKit.tests.map(({ name }) => name);
    expect(names.length).toBeGreaterThan(80);
    expect(new Set(names).size).toBe(names.length);
  });
});
