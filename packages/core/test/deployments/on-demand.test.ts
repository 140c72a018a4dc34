import { describe, expect, it } from "vitest";
import { deploymentsOf, World } from "./support/world.ts";

const MODEL = "m";

async function onDemand(world: World, name = "a", idleTtlMs = 20_000) {
  const node = await world.start(name);
  await world.settle(
    deploymentsOf(node.gateway).configurations.create({ model: MODEL, modelUri: "s3://m", idleTtlMs }),
  );
  return node;
}

describe("a task for an on-demand model that is not deployed", () => {
  it("is accepted at once, waits while its server is made, and ends", async () => {
    const world = new World();
    const { gateway } = await onDemand(world);
    const fromMs = world.time.nowMs;
    const { id } = await world.settle(gateway.submit({ model: MODEL, operation: "work" }));
    expect(world.time.nowMs - fromMs).toBeLessThan(50);
    expect((await world.settle(gateway.wait(id))).state).toBe("succeeded");
    expect(world.events("created")).toBe(1);
    const deployment = await world.settle(
      deploymentsOf(gateway).settled(MODEL, { until: "ready", timeoutMs: 5_000 }),
    );
    expect(deployment).toMatchObject({ kind: "auto", state: "ready", isStarted: true, failures: 0 });
  });

  it("has its server made at once, though what waits was counted a moment ago", async () => {
    const world = new World();
    const other = await world.start("b");
    const { gateway } = await onDemand(world);
    // At every part of the second between two counts; now and then a call is slow.
    const took: number[] = [];
    for (let at = 0; at < 9; at += 1) {
      const made = world.events("created");
      const asked = at % 2 === 0 ? other.gateway : gateway;
      await world.settle(asked.submit({ model: MODEL, operation: "work" }));
      took.push(await world.until("created", () => world.events("created") > made));
      await world.until("gone", async () => (await world.entries()).length === 0);
      await world.time.run(world.time.nowMs + 110 * at);
    }
    expect(took.toSorted((one, two) => one - two)[4]).toBeLessThan(250);
  });

  it("is accepted by a gateway that has not heard of the configuration yet", async () => {
    const world = new World();
    const other = await world.start("b");
    await onDemand(world);
    const { id } = await world.settle(other.gateway.submit({ model: MODEL, operation: "work" }));
    expect((await world.settle(other.gateway.wait(id))).state).toBe("succeeded");
  });

  it("and 200 of them through three gateways make one server", async () => {
    const world = new World();
    const first = await onDemand(world);
    const nodes = [first, await world.start("b"), await world.start("c")];
    const ids = await world.settle(
      Promise.all(
        Array.from({ length: 200 }, async (_, at) => {
          const { gateway } = nodes[at % 3] ?? first;
          return (await gateway.submit({ model: MODEL, operation: "work" })).id;
        }),
      ),
    );
    for (const id of ids) expect((await world.settle(first.gateway.wait(id))).state).toBe("succeeded");
    expect(world.events("created")).toBe(1);
  });
});

describe("an idle on-demand server", () => {
  it("is removed after its idle time, and comes back for the next task", async () => {
    const world = new World();
    const { gateway } = await onDemand(world);
    const submit = async () => {
      const { id } = await world.settle(gateway.submit({ model: MODEL, operation: "work" }));
      expect((await world.settle(gateway.wait(id))).state).toBe("succeeded");
    };
    await submit();
    const idleMs = await world.until("it is removed", () => world.events("removed") === 1);
    expect(idleMs).toBeGreaterThan(19_000);
    expect(idleMs).toBeLessThan(24_000);
    await world.until("it is forgotten", async () => (await world.entries()).length === 0);
    await submit();
    expect(world.events("created")).toBe(2);
  });

  it("stays while a training runs that is longer, and goes after it", async () => {
    const world = new World({ trainMs: 90_000 });
    const { gateway } = await onDemand(world);
    const { id } = await world.settle(gateway.submit({ model: MODEL, operation: "train" }));
    await world.settle(gateway.wait(id, { timeoutMs: 85_000 }));
    expect((await world.settle(gateway.get(id))).state).toBe("running");
    expect(world.events("removed")).toBe(0);
    expect((await world.settle(gateway.wait(id))).state).toBe("succeeded");
    await world.until("it is removed", () => world.events("removed") === 1);
    expect(world.events("created")).toBe(1);
  });

  it("stays while a task waits for its slot longer than its idle time", async () => {
    const world = new World({ workMs: 50_000, behaviour: () => ({ readyAfterMs: 100, limit: 1 }) });
    const { gateway } = await onDemand(world);
    const ids: string[] = [];
    for (let count = 0; count < 3; count += 1) {
      ids.push((await world.settle(gateway.submit({ model: MODEL, operation: "work" }))).id);
    }
    for (const id of ids) expect((await world.settle(gateway.wait(id))).state).toBe("succeeded");
    expect(world.events("created")).toBe(1);
    expect(world.events("removed")).toBe(0);
  });

  it("returns to work when a task comes while it drains", async () => {
    const world = new World();
    const { gateway } = await onDemand(world);
    const first = await world.settle(gateway.submit({ model: MODEL, operation: "work" }));
    await world.settle(gateway.wait(first.id));
    await world.until("it drains", async () => (await world.entries())[0]?.phase === "draining");
    const { id } = await world.settle(gateway.submit({ model: MODEL, operation: "work" }));
    expect((await world.settle(gateway.wait(id))).state).toBe("succeeded");
  });

  it("is kept when its configuration says so, and deployed before anybody asks", async () => {
    const world = new World();
    const { gateway } = await world.start("a");
    await world.settle(
      deploymentsOf(gateway).configurations.create({
        model: MODEL,
        modelUri: "s3://m",
        idleTtlMs: 1_000,
        keepWarm: true,
      }),
    );
    await world.until("it is ready", async () => (await world.entries())[0]?.phase === "ready");
    await world.time.run(world.time.nowMs + 60_000);
    expect(world.events("removed")).toBe(0);
  });
});

describe("a deployment that fails", () => {
  it.each([
    ["IMAGE_MISSING", "missing", {}],
    ["SERVER_EXITED", "m", { readyAfterMs: 1_000, exit: { afterMs: 10, code: 3 } }],
    ["OUT_OF_MEMORY", "m", { readyAfterMs: 1_000, memoryBytes: 1e12, exit: { afterMs: 10, code: 137 } }],
    ["NEVER_READY", "m", { readyAfterMs: Number.POSITIVE_INFINITY }],
    ["START_FAILED", "m", { startFailure: "no such program" }],
  ])("%s ends the waiting tasks with the reason, after the tries", async (code, model, behaviour) => {
    const world = new World({
      behaviour: () => behaviour,
      deployments: {
        readyTimeoutMs: 5_000,
        attempts: 2,
        template: (request) => ({
          image: request.model.startsWith("missing") ? "missing" : "server",
          port: 1,
          limits: { memoryBytes: 1e9 },
        }),
      },
    });
    const { gateway } = await world.start("a");
    await world.settle(deploymentsOf(gateway).configurations.create({ model, modelUri: "s3://m" }));
    const { id } = await world.settle(gateway.submit({ model, operation: "work" }));
    const task = await world.settle(gateway.wait(id));
    expect(task).toMatchObject({ state: "failed", error: { code } });
    const deployment = await world.settle(deploymentsOf(gateway).get(model));
    expect(deployment).toMatchObject({ failures: 2, error: { code } });
    expect(world.engine.servers).toEqual([]);
  });
});
