import { describe, expect, it } from "vitest";
import type { ServerProtocol } from "../../src/contracts/server-protocol.ts";
import { GatewayError } from "../../src/errors.ts";
import { describeKit, runKitTest } from "../../src/testing/kit/kit.ts";
import { serverProtocolKit } from "../../src/testing/server-protocol-kit/server-protocol-kit.ts";
import { openCms } from "./server-protocol-cms.ts";
import { openMemory } from "./server-protocol-memory.ts";

describeKit({ describe, it }, serverProtocolKit, "CMS", () => openCms());

describeKit({ describe, it }, serverProtocolKit, "memory", openMemory);

describe("a protocol that claims nothing of runs", () => {
  const rules = serverProtocolKit.tests.filter(({ name }) => name.includes("not claimed"));
  const openBlind = (findRun: ServerProtocol["findRun"]) =>
    openCms((good) => ({
      capabilities: { findsRuns: false, cancelsRuns: false, passes: false, upgrades: false },
      findRun,
      async cancelRun(query, options) {
        await good.cancelRun(query, options);
        throw new GatewayError("UNSUPPORTED", "this protocol cancels no runs");
      },
    }));

  it("may refuse to look for them, or say that it is unclear", async () => {
    for (const test of rules) {
      expect(await runKitTest(test, () => openBlind(async () => ({ run: "unclear" })))).toBeUndefined();
      const refuse = async (): Promise<never> => {
        throw new GatewayError("UNSUPPORTED", "this protocol finds no runs");
      };
      expect(await runKitTest(test, () => openBlind(refuse))).toBeUndefined();
    }
    expect(rules).toHaveLength(2);
  });

  it("must not guess", async () => {
    const [rule] = rules.filter(({ name }) => name.startsWith("findRun"));
    if (rule === undefined) throw new Error("the rule is missing");
    await expect(runKitTest(rule, () => openBlind(async () => ({ run: "none" })))).rejects.toThrow("none");
  });
});
