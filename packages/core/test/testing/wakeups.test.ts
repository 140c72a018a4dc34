import { describe, it } from "vitest";
import { memoryWakeups, memoryWakeupsHub } from "../../src/memory/wakeups.ts";
import { describeKit } from "../../src/testing/kit/kit.ts";
import { wakeupsKit } from "../../src/testing/wakeups-kit/wakeups-kit.ts";
import { expectFaultsFound } from "./broken/lifecycle/failing-tests.ts";
import { WAKEUPS_FAULTS } from "./broken/wakeups/broken-wakeups.ts";

describeKit({ describe, it }, wakeupsKit, "memory", () => {
  const hub = memoryWakeupsHub();
  const [wakeups, other] = [memoryWakeups({ hub }), memoryWakeups({ hub })];
  return {
    wakeups,
    other,
    async close() {
      await Promise.all([wakeups.close(), other.close()]);
    },
  };
});

describe("the kit of wake-ups", () => {
  expectFaultsFound(wakeupsKit, WAKEUPS_FAULTS);
});
