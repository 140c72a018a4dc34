import { describe, expect, it } from "vitest";
import { ledgerKit } from "../../src/testing/ledger-kit/ledger-kit.ts";
import { failuresOf, unprovenOf } from "./broken/failures.ts";
import { BROKEN_LEDGERS } from "./broken/ledger/broken-ledgers.ts";
import { sharedFixture } from "./ledger-fixtures.ts";

describe("a broken ledger fails the one test that names its fault", () => {
  for (const { fault, caughtBy, plant, order } of BROKEN_LEDGERS) {
    it(fault, { timeout: 60_000 }, async () => {
      expect(await failuresOf(ledgerKit, () => sharedFixture(plant, order))).toEqual([caughtBy]);
    });
  }

  it("and every test of the kit is proved by one", () => {
    expect(unprovenOf(ledgerKit, BROKEN_LEDGERS)).toEqual([]);
  });
});
