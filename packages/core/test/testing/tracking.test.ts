import { describe, expect, it } from "vitest";
import { describeKit } from "../../src/testing/kit/kit.ts";
import { lifecycleKit } from "../../src/testing/lifecycle-kit/lifecycle-kit.ts";
import { trackingKit } from "../../src/testing/tracking-kit/tracking-kit.ts";
import { expectFaultsFound } from "./broken/lifecycle/failing-tests.ts";
import { ASKING_FAULTS, trackingFixture } from "./broken/tracking/broken-trackings.ts";
import { DESCRIBING_FAULTS, RUNNING_FAULTS } from "./broken/tracking/running.ts";

const TRACKING_FAULTS = [...ASKING_FAULTS, ...DESCRIBING_FAULTS, ...RUNNING_FAULTS];

describeKit({ describe, it }, trackingKit, "memory", () => trackingFixture());

describe("the kit of trackings", () => {
  expectFaultsFound(trackingKit, TRACKING_FAULTS);

  it("has no test of its own that no broken tracking has proved", () => {
    const proved = new Set(TRACKING_FAULTS.map(({ breaks }) => breaks));
    const closing = new Set(lifecycleKit.tests.map(({ name }) => name));
    const names = trackingKit.tests.map(({ name }) => name).filter((name) => !closing.has(name));
    expect(names.filter((name) => !proved.has(name))).toEqual([]);
  });
});
