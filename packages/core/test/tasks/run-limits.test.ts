import { describe, expect, it } from "vitest";
import type { ServerProtocol } from "../../src/contracts/server-protocol.ts";
import { memoryDiscovery, memoryProtocol } from "../../src/memory/index.ts";
import { World } from "../deployments/support/world.ts";

const server = {
  id: "s",
  url: "memory:",
  models: ["m"],
  protocol: "memory",
  limit: 1,
  state: "ready",
} as const;

/** A training of this length fails. */
const FAILS = 1_000;

/** A gateway with one server of one slot, whose trainings take so long, under a clock of its own. */
async function open(
  trainMs: number,
  change: (protocol: ServerProtocol) => Partial<ServerProtocol> = () => ({}),
) {
  const world = new World();
  const protocol = memoryProtocol({
    clock: world.clock,
    operations: { work: { repeatable: true }, train: { background: true, timeoutMs: 120_000 } },
    handle: async ({ operation }) => {
      const ms = operation === "train" ? trainMs : 10;
      await new Promise<void>((resolve) => world.clock.after(ms, resolve));
      if (ms === FAILS) throw new Error("no labels");
      return "done";
    },
  });
  const protocols = [{ ...protocol, ...change(protocol) }];
  const { gateway } = await world.start("a", { protocols, discovery: memoryDiscovery([server]) });
  const submit = async (operation: string) =>
    (await world.settle(gateway.submit({ model: "m", operation }))).id;
  return { world, gateway, submit };
}

describe("a training", () => {
  it("goes on while nobody can tell how it is, and ends as it really ended", async () => {
    let failures = 0;
    const { world, gateway, submit } = await open(90_000, (protocol) => ({
      findRun: async (query, options) => {
        if (failures < 4) {
          failures += 1;
          throw new Error("the tracker is away");
        }
        return await protocol.findRun(query, options);
      },
    }));
    const ended = await world.settle(gateway.wait(await submit("train")));
    expect(ended).toMatchObject({ state: "succeeded", attempt: 1 });
    expect(failures).toBe(4);
  });

  it("that fails keeps what was said of it as its result", async () => {
    const { world, gateway, submit } = await open(FAILS);
    const id = await submit("train");
    expect(await world.settle(gateway.wait(id))).toMatchObject({
      state: "failed",
      error: { code: "RUN_FAILED" },
    });
    const { bytes } = await world.settle(gateway.result(id));
    expect(Buffer.from(bytes ?? []).toString()).toContain("no labels");
  });

  it("that never ends is over after its time, and takes no slot until then", async () => {
    const { world, gateway, submit } = await open(Number.POSITIVE_INFINITY);
    const id = await submit("train");
    await world.until("it runs", async () => (await gateway.get(id)).state === "running");
    expect((await world.settle(gateway.wait(await submit("work")), 5_000)).state).toBe("succeeded");
    await world.time.run(world.time.nowMs + 110_000);
    expect((await world.settle(gateway.get(id))).state).toBe("running");
    await world.time.run(world.time.nowMs + 90_000);
    expect((await world.settle(gateway.get(id))).state).toBe("failed");
  });
});
