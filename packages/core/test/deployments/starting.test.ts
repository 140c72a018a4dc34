import { describe, expect, it } from "vitest";
import { expectConsistent } from "./support/judge.ts";
import { deploymentsOf, World } from "./support/world.ts";

const MINUTE_MS = 60_000;

describe("deployments", () => {
  it("that take longer than anybody expects stay with the gateway that drives them, and end when they are idle", async () => {
    const world = new World({
      behaviour: () => ({ readyAfterMs: 12 * MINUTE_MS }),
      deployments: { readyTimeoutMs: 15 * MINUTE_MS },
    });
    const { gateway } = await world.start("a");
    await world.start("b");
    const configuration = { model: "m", modelUri: "s3://m", idleTtlMs: 20_000 };
    await world.settle(deploymentsOf(gateway).configurations.create(configuration));
    const { id } = await world.settle(gateway.submit({ model: "m", operation: "work" }));
    const drivers = new Set<string | undefined>();
    for (let minute = 0; minute < 11; minute += 1) {
      await world.time.run(world.time.nowMs + MINUTE_MS);
      for (const { driver, phase } of await world.entries()) if (phase === "deploying") drivers.add(driver);
    }
    expect(drivers.size).toBe(1);
    expect(drivers).not.toContain(undefined);
    expect((await world.settle(gateway.wait(id), 5 * MINUTE_MS)).state).toBe("succeeded");
    await world.until("it is removed", () => world.engine.servers.length === 0);
    expect(world.events("created")).toBe(1);
    await expectConsistent(world);
  });

  it("begin when it is their turn, no more at once than may", async () => {
    const world = new World({ deployments: { maxConcurrent: 2 } });
    const { gateway } = await world.start("a");
    const models = ["k", "l", "m", "n", "o"];
    const deployments = deploymentsOf(gateway);
    await world.settle(Promise.all(models.map((model) => deployments.deploy({ model, modelUri: "s3://m" }))));
    let most = 0;
    await world.until("all are ready", async () => {
      const phases = (await world.entries()).map(({ phase }) => phase);
      most = Math.max(most, phases.filter((phase) => phase === "deploying").length);
      return phases.length === models.length && phases.every((phase) => phase === "ready");
    });
    expect(most).toBe(2);
  });

  it("that a person asked for are started again with their host, without a gateway", async () => {
    const world = new World();
    const { gateway } = await world.start("a");
    const deployments = deploymentsOf(gateway);
    await world.settle(deployments.deploy({ model: "manual", modelUri: "s3://m" }));
    await world.settle(deployments.configurations.create({ model: "auto", modelUri: "s3://m" }));
    await world.settle(gateway.submit({ model: "auto", operation: "work" }));
    await world.until("both are ready", async () => {
      const entries = await world.entries();
      return entries.length === 2 && entries.every(({ phase }) => phase === "ready");
    });
    // No time passes in which a gateway could have done it.
    world.engine.stopEngine({ endsServers: true });
    world.engine.startEngine();
    const states = world.engine.servers.map(({ identity, state }) => `${identity?.model} ${state}`);
    expect(states.sort()).toEqual(["auto stopped", "manual running"]);
  });
});
