import { describe, expect, it } from "vitest";
import { deployerKit } from "../../src/testing/deployer-kit/deployer-kit.ts";
import { describeKit } from "../../src/testing/kit/kit.ts";
import { lifecycleKit } from "../../src/testing/lifecycle-kit/lifecycle-kit.ts";
import { DEPLOYER_FAULTS } from "./broken/deployer/broken-deployers.ts";
import { expectFaultsFound } from "./broken/lifecycle/failing-tests.ts";
import { memoryFixture } from "./deployer-fixtures.ts";

describeKit({ describe, it }, deployerKit, "memory", () => memoryFixture());

describeKit({ describe, it }, deployerKit, "memory whose engine hangs", () => memoryFixture({ hangs: true }));

describe("the kit of deployers", () => {
  expectFaultsFound(deployerKit, DEPLOYER_FAULTS);

  it("has no test of its own that no broken deployer has proved", () => {
    const proved = new Set(DEPLOYER_FAULTS.map(({ breaks }) => breaks));
    // What every closable thing has to keep is proved with the kit of those.
    const closing = new Set(lifecycleKit.tests.map(({ name }) => name));
    const names = deployerKit.tests.map(({ name }) => name).filter((name) => !closing.has(name));
    expect(names.filter((name) => !proved.has(name))).toEqual([]);
  });
});
