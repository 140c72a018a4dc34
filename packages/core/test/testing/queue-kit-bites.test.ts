import { describe, expect, it } from "vitest";
import { queueKit } from "../../src/testing/queue-kit/queue-kit.ts";
import { failuresOf, unprovenOf } from "./broken/failures.ts";
import { BROKEN_BANDED_QUEUES } from "./broken/queue/banded.ts";
import { BROKEN_QUEUES } from "./broken/queue/broken-queues.ts";
import { bandedFixture, sharedFixture } from "./queue-fixtures.ts";

describe("a broken queue fails the one test that names its fault", () => {
  for (const { fault, caughtBy, plant } of BROKEN_QUEUES) {
    it(fault, { timeout: 60_000 }, async () => {
      expect(await failuresOf(queueKit, () => sharedFixture(plant))).toEqual([caughtBy]);
    });
  }

  for (const { fault, caughtBy, plant } of BROKEN_BANDED_QUEUES) {
    it(`${fault} (ordered by bands)`, { timeout: 60_000 }, async () => {
      expect(await failuresOf(queueKit, () => bandedFixture(plant))).toEqual([caughtBy]);
    });
  }

  it("and every test of the kit is proved by one", () => {
    expect(unprovenOf(queueKit, [...BROKEN_QUEUES, ...BROKEN_BANDED_QUEUES])).toEqual([]);
  });
});
