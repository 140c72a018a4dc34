import { describe, expect, it } from "vitest";
import { queueKit } from "../../src/testing/queue-kit/queue-kit.ts";
import { failuresOf, unprovenOf } from "./broken/failures.ts";
import { BROKEN_QUEUES } from "./broken/queue/broken-queues.ts";
import { sharedFixture } from "./queue-fixtures.ts";

describe("a broken queue fails the one test that names its fault", () => {
  for (const { fault, caughtBy, plant, order } of BROKEN_QUEUES) {
    it(fault, { timeout: 60_000 }, async () => {
      expect(await failuresOf(queueKit, () => sharedFixture(plant, order))).toEqual([caughtBy]);
    });
  }

  it("and every test of the kit is proved by one", () => {
    expect(unprovenOf(queueKit, BROKEN_QUEUES)).toEqual([]);
  });
});
