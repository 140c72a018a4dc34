import { describe, expect, it } from "vitest";
import type { Ledger } from "../../src/contracts/ledger.ts";
import { GatewayError } from "../../src/errors.ts";
import { expectConsistent } from "./support/judge.ts";
import { deploymentsOf, World } from "./support/world.ts";

const MODEL = "m";

async function deployed(world: World, ttlMs: number | null = null) {
  const node = await world.start("a");
  const deployments = deploymentsOf(node.gateway);
  await world.settle(deployments.deploy({ model: MODEL, modelUri: "s3://m", ttlMs }));
  await world.settle(deployments.settled(MODEL, { until: "ready", timeoutMs: 60_000 }));
  return { ...node, deployments };
}

describe("a deployment that a person asked for", () => {
  it("is removed when its time is over, not before, and whether or not it is in use", async () => {
    const world = new World({ workMs: 500 });
    const { gateway, deployments } = await deployed(world, 20_000);
    const { readyAtMs = 0, expiresAtMs } = (await world.settle(deployments.get(MODEL))) ?? {};
    expect(expiresAtMs).toBe(readyAtMs + 20_000);
    for (let second = 0; second < 18; second += 1) {
      await world.time.run(world.time.nowMs + 1_000);
      await world.settle(gateway.submit({ model: MODEL, operation: "work" }));
      expect(world.events("removed")).toBe(0);
    }
    await world.until("it is removed", () => world.events("removed") === 1, 10_000);
    await expectConsistent(world);
  });

  it("that has no end stays", async () => {
    const world = new World();
    await deployed(world, null);
    await world.time.run(world.time.nowMs + 400_000);
    expect(world.events("removed")).toBe(0);
  });

  it("lets a training run on beyond its time, within bounds", async () => {
    const world = new World({ trainMs: 60_000, deployments: { drainMs: 2_000, maxOverrunMs: 40_000 } });
    const { gateway } = await deployed(world, 10_000);
    const { id } = await world.settle(gateway.submit({ model: MODEL, operation: "train" }));
    await world.time.run(world.time.nowMs + 45_000);
    expect((await world.settle(gateway.get(id))).state).toBe("running");
    expect(world.events("removed")).toBe(0);
    await world.until("it is removed", () => world.events("removed") === 1, 10_000);
  });

  it("comes back when its server was lost, with the rest of its time", async () => {
    const world = new World();
    const { deployments } = await deployed(world, 60_000);
    const before = await world.settle(deployments.get(MODEL));
    const [server] = world.engine.servers;
    const installation = server?.identity?.installation ?? "";
    await world.byHand(() => world.settle(world.engine.remove(before?.server?.id ?? "", installation, 0)));
    await world.until("it is back", async () => {
      const [entry] = await world.entries();
      return entry?.phase === "ready" && world.events("created") === 2;
    });
    expect(await world.settle(deployments.get(MODEL))).toMatchObject({
      generation: before?.generation,
      expiresAtMs: before?.expiresAtMs,
    });
  });

  it("comes back when its server was found stopped while somebody was taking it away", async () => {
    const world = new World({ deployments: { attempts: 1 } });
    const { deployments } = await deployed(world);
    const before = await world.settle(deployments.get(MODEL));
    const id = before?.server?.id ?? "";
    const start = world.engine.start.bind(world.engine);
    world.engine.start = async (each, installation) => {
      if (each === id) throw new GatewayError("START_FAILED", "it is marked for removal");
      return await start(each, installation);
    };
    // While an engine takes a server away by force it lists it as stopped.
    const list = world.engine.list.bind(world.engine);
    world.engine.list = async (installation) =>
      (await list(installation)).map((each) => (each.id === id ? { ...each, state: "stopped" } : each));
    await world.byHand(() => world.engine.kill(id));
    await world.until("it is back", async () => {
      const [entry] = await world.entries();
      return entry?.phase === "ready" && entry.server?.id !== id;
    });
    expect(world.events("created")).toBe(2);
  });

  it("is made once the server is gone that an earlier one left behind", async () => {
    const world = new World();
    const { gateway, deployments } = await deployed(world);
    const installation = world.engine.servers[0]?.identity?.installation ?? "";
    await world.settle(deployments.remove(MODEL));
    world.engine.setImage("i");
    const spec = { image: "i", port: 8000 };
    const left = { installation, model: MODEL, generation: "old", kind: "auto" } as const;
    await world.settle(world.engine.create(spec, left));
    await world.until("its removal is written down", async () => {
      const [entry] = await world.entries();
      return entry?.phase === "stopping";
    });
    const made = await world.settle(deploymentsOf(gateway).deploy({ model: MODEL, modelUri: "s3://m" }));
    expect(made).toMatchObject({ model: MODEL, kind: "manual" });
  });

  it("joins an equal request in progress, and refuses another", async () => {
    const world = new World();
    const one = await world.start("a");
    const other = await world.start("b");
    const request = { model: MODEL, modelUri: "s3://m" };
    const [first, second] = await world.settle(
      Promise.all([deploymentsOf(one.gateway).deploy(request), deploymentsOf(other.gateway).deploy(request)]),
    );
    expect(second.generation).toBe(first.generation);
    const different = deploymentsOf(other.gateway).deploy({ ...request, modelUri: "s3://other" });
    await expect(world.settle(different)).rejects.toMatchObject({ code: "DEPLOYMENT_CONFLICT" });
    await world.settle(deploymentsOf(one.gateway).settled(MODEL, { until: "ready", timeoutMs: 60_000 }));
    await expect(world.settle(deploymentsOf(one.gateway).deploy(request))).rejects.toMatchObject({
      code: "DEPLOYMENT_CONFLICT",
    });
    expect(world.events("created")).toBe(1);
  });
});

describe("removing", () => {
  it("is refused for a server of somebody else, and for what is not there", async () => {
    const world = new World();
    const { gateway } = await world.start("a");
    world.discovery.set({ id: "theirs", url: "memory:", models: ["s"], protocol: "memory", state: "ready" });
    const codeOf = (model: string) =>
      world.settle(
        deploymentsOf(gateway)
          .remove(model)
          .then(
            () => "removed",
            (error: unknown) => (GatewayError.is(error) ? error.code : error),
          ),
      );
    expect(await codeOf("s")).toBe("NOT_OURS");
    expect(await codeOf("nobody")).toBe("DEPLOYMENT_UNKNOWN");
  });

  it("is not put off for ever by an exchange that failed while its server was the only one", async () => {
    const world = new World();
    let isAway = false;
    const failing = new Proxy(world.ledger, {
      get(target, name) {
        if (name === "exchange" && isAway)
          return () => Promise.reject(new GatewayError("STORE_UNAVAILABLE", "the store is away"));
        const found: unknown = Reflect.get(target, name);
        return typeof found === "function" ? found.bind(target) : found;
      },
    });
    const node = await world.start("a", { ledger: failing });
    const deployments = deploymentsOf(node.gateway);
    await world.settle(deployments.deploy({ model: MODEL, modelUri: "s3://m", ttlMs: null }));
    await world.settle(deployments.settled(MODEL, { until: "ready", timeoutMs: 60_000 }));
    isAway = true;
    const before = node.errors.length;
    await world.until("an exchange failed", () => node.errors.length > before);
    // From now on no server is offered to the ledger.
    const removing = deployments.remove(MODEL);
    await world.until("it drains", async () => (await world.entries())[0]?.phase === "draining");
    isAway = false;
    await world.settle(removing, 20_000);
    expect(world.events("removed")).toBe(1);
  });

  it("waits for an exchange under way, which may bring work for the server", async () => {
    const world = new World({ workMs: 200 });
    let holdMs = 0;
    const slow = (ledger: Ledger): Ledger =>
      new Proxy(ledger, {
        get(target, name) {
          const found: unknown = Reflect.get(target, name);
          if (typeof found !== "function") return found;
          return async (...given: unknown[]) => {
            const answer: unknown = await Reflect.apply(found, target, given);
            if (name === "exchange" && holdMs > 0) await world.time.sleep(holdMs);
            return answer;
          };
        },
      });
    const first = await deployed(world, null);
    const runner = await world.start("runner", { ledger: slow(world.ledger), leaseMs: 10_000 });
    await world.settle(first.gateway.stop());
    const front = await world.start("front", { runs: false, leaseMs: 10_000 });
    await world.until("its first exchange", () => true);
    holdMs = 2_500;
    const { id } = await world.settle(front.gateway.submit({ model: MODEL, operation: "work" }));
    await world.time.run(world.time.nowMs + 600);
    const removed = deploymentsOf(front.gateway).remove(MODEL);
    removed.catch(() => {});
    await world.until("it is removed", () => world.events("removed") === 1, 30_000);
    expect((await world.settle(runner.gateway.get(id))).state).toBe("succeeded");
    expect(world.violations).toEqual([]);
  });
});

describe("a server of ours that no entry stands for", () => {
  const spec = { image: "server", port: 1 };
  const made = async (world: World, kind: "manual" | "auto", isStarted: boolean) => {
    // A gateway that was there and is not any more.
    const { gateway } = await world.start("before");
    await world.settle(gateway.stop());
    const installation = (await world.settle(world.records.get("installation")))?.value as { id: string };
    const identity = { installation: installation.id, model: "left", generation: "old", kind, ttlMs: 60_000 };
    world.engine.setImage("server");
    const { id } = await world.settle(world.engine.create(spec, identity));
    if (isStarted) await world.settle(world.engine.start(id, installation.id));
    await world.start("a");
  };

  it.each([
    ["auto", true],
    ["auto", false],
    ["manual", false],
  ] as const)("and that is %s, running: %s, is removed", async (kind, isStarted) => {
    const world = new World();
    await made(world, kind, isStarted);
    await world.until("it is removed", () => world.engine.servers.length === 0);
    expect(await world.entries()).toEqual([]);
  });

  it("is taken over when a person had asked for it and it runs", async () => {
    const world = new World();
    await made(world, "manual", true);
    await world.until("it is ready", async () => (await world.entries())[0]?.phase === "ready");
    expect(await world.entries()).toMatchObject([
      { model: "left", generation: "old", kind: "manual", ttlMs: 60_000 },
    ]);
    await world.until("its time is over", () => world.engine.servers.length === 0, 90_000);
  });

  it("is left alone when it belongs to another installation", async () => {
    const world = new World();
    await world.start("a");
    world.engine.setImage("server");
    const identity = { installation: "another", model: "theirs", generation: "g", kind: "auto" as const };
    const { id } = await world.settle(world.engine.create(spec, identity));
    await world.settle(world.engine.start(id, "another"));
    await world.time.run(world.time.nowMs + 90_000);
    expect(world.engine.servers.map((server) => server.id)).toEqual([id]);
  });
});

describe("room for one of two models with steady work", () => {
  it("both progress, and they swap at most once a minute", async () => {
    const world = new World({
      workMs: 100,
      deployments: { room: { memoryBytes: 1 }, defaultRoom: { memoryBytes: 1 }, minResidencyMs: 60_000 },
    });
    const { gateway } = await world.start("a");
    for (const model of ["a", "b"]) {
      await world.settle(deploymentsOf(gateway).configurations.create({ model, modelUri: "s3://m" }));
    }
    const done = new Map([
      ["a", 0],
      ["b", 0],
    ]);
    gateway.events.on("task:ended", ({ model, state }) => {
      if (state === "succeeded") done.set(model, (done.get(model) ?? 0) + 1);
    });
    const minutes = 12;
    for (let second = 0; second < minutes * 60; second += 1) {
      for (const model of ["a", "b"]) await world.settle(gateway.submit({ model, operation: "work" }));
      await world.time.run(world.time.nowMs + 1_000);
    }
    expect(Math.min(...done.values())).toBeGreaterThan(minutes * 20);
    expect(world.events("created")).toBeGreaterThan(4);
    expect(world.events("created")).toBeLessThanOrEqual(minutes + 1);
    expect(world.violations).toEqual([]);
  });
});
