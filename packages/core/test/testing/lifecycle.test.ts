import { setTimeout as sleep } from "node:timers/promises";
import { describe, it } from "vitest";
import { memoryWakeups, memoryWakeupsHub } from "../../src/memory/wakeups.ts";
import { describeKit } from "../../src/testing/kit/kit.ts";
import { lifecycleKit } from "../../src/testing/lifecycle-kit/lifecycle-kit.ts";
import { expectFaultsFound } from "./broken/lifecycle/failing-tests.ts";
import { LIFECYCLE_FAULTS, openListener } from "./broken/lifecycle/listener.ts";

describeKit({ describe, it }, lifecycleKit, "a listener", () => openListener());

describeKit({ describe, it }, lifecycleKit, "wake-ups that were handed their hub", () => {
  const hub = memoryWakeupsHub();
  const subject = memoryWakeups({ hub });
  return {
    subject,
    calls: {
      publish: () => subject.publish("work", ["m"]),
      subscribe: async () => subject.subscribe("work", () => {}),
    },
    async handedIn() {
      const heard: string[] = [];
      const [one, other] = [memoryWakeups({ hub }), memoryWakeups({ hub })];
      one.subscribe("work", (names) => heard.push(...names));
      await other.publish("work", ["m"]);
      await sleep(1);
      if (heard.length !== 1) throw new Error("the hub has lost its listeners");
    },
    held: () => hub.listeners.work.size,
    close: () => subject.close(),
  };
});

describe("the kit of whatever is closed", () => {
  expectFaultsFound(lifecycleKit, LIFECYCLE_FAULTS);
});
