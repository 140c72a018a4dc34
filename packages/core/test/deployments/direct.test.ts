import { describe, expect, it } from "vitest";
import type { PassOutcome, ServerProtocol } from "../../src/contracts/server-protocol.ts";
import type { Gateway } from "../../src/gateway-api.ts";
import { memoryProtocol } from "../../src/memory/index.ts";
import { deploymentsOf, World } from "./support/world.ts";

const MODEL = "m";

/** Servers whose direct answers last as long as `holdMs` says, by the world's clock. */
function passing(world: World, holdMs = 0): ServerProtocol {
  const memory = memoryProtocol({
    handle: () => "done",
    operations: { work: { repeatable: true } },
    clock: world.clock,
  });
  async function* body(): AsyncGenerator<Uint8Array> {
    yield Buffer.from("one");
    if (holdMs > 0) await world.time.sleep(holdMs);
    yield Buffer.from("two");
  }
  const send = async (): Promise<PassOutcome> => ({
    kind: "answered",
    answer: { status: 200, headers: [], body: body() },
  });
  const upgrade = async (): Promise<never> => {
    throw new Error("not here");
  };
  return {
    ...memory,
    capabilities: { ...memory.capabilities, passes: true },
    pass: { rule: () => ({ kind: "pass" }), send, upgrade },
  };
}

async function onDemand(world: World, holdMs = 0, idleTtlMs = 20_000) {
  const node = await world.start("a", { protocols: [passing(world, holdMs)] });
  await world.settle(
    deploymentsOf(node.gateway).configurations.create({ model: MODEL, modelUri: "s3://m", idleTtlMs }),
  );
  return node;
}

const pass = (gateway: Gateway, waitMs?: number) =>
  gateway.pass({ model: MODEL, method: "GET", path: "/x", waitMs });

async function read(asked: ReturnType<typeof pass>): Promise<string> {
  let text = "";
  for await (const chunk of (await asked).body) text += Buffer.from(chunk).toString();
  return text;
}

const phaseOf = async (world: World): Promise<string | undefined> => (await world.entries())[0]?.phase;

describe("a direct request for an on-demand model that is not deployed", () => {
  it("has its server made, and waits for it", async () => {
    const world = new World();
    const { gateway } = await onDemand(world);
    expect(await world.settle(read(pass(gateway, 60_000)))).toBe("onetwo");
    expect(world.events("created")).toBe(1);
  });

  it("goes on asking for it, while nothing of that can be written down", async () => {
    const world = new World();
    const { gateway } = await onDemand(world);
    const { records } = world;
    const { put } = records;
    records.put = () => Promise.reject(new Error("away"));
    const reading = read(pass(gateway, 120_000));
    await world.time.run(world.time.nowMs + 12_000);
    records.put = put;
    expect(await world.settle(reading)).toBe("onetwo");
    expect(world.events("created")).toBe(1);
  });

  it("that does not wait so long is told when to come back, while its server is made", async () => {
    const world = new World();
    const { gateway } = await onDemand(world);
    const busy = { code: "SERVER_BUSY", details: { model: MODEL, retryAfterMs: expect.any(Number) } };
    await expect(world.settle(pass(gateway))).rejects.toMatchObject(busy);
    await expect(world.settle(pass(gateway, 200))).rejects.toMatchObject(busy);
    await world.until("ready", async () => (await phaseOf(world)) === "ready");
    await world.time.run(world.time.nowMs + 100);
    expect(await world.settle(read(pass(gateway)))).toBe("onetwo");
    expect(world.events("created")).toBe(1);
  });
});

describe("a direct request that is under way", () => {
  it("keeps its server, however long nothing else is asked of it, and lets it go afterwards", async () => {
    const world = new World();
    const { gateway } = await onDemand(world, 60_000, 10_000);
    const reading = read(pass(gateway, 60_000));
    await world.until("ready", async () => (await phaseOf(world)) === "ready");
    await world.time.run(world.time.nowMs + 40_000);
    expect(await phaseOf(world)).toBe("ready");
    expect(await world.settle(reading)).toBe("onetwo");
    await world.time.run(world.time.nowMs + 5_000);
    expect(await phaseOf(world)).toBe("ready");
    await world.until("gone", async () => (await world.entries()).length === 0);
  });

  it("is waited for when its server is removed, and no other begins", async () => {
    const world = new World({ deployments: { drainMs: 30_000 } });
    const { gateway } = await onDemand(world, 10_000);
    const reading = read(pass(gateway, 60_000));
    await world.until("ready", async () => (await phaseOf(world)) === "ready");
    await world.time.run(world.time.nowMs + 500);
    const removed = deploymentsOf(gateway).remove(MODEL);
    await world.until("draining", async () => (await phaseOf(world)) === "draining");
    await world.time.run(world.time.nowMs + 3_000);
    expect(await phaseOf(world)).toBe("draining");
    await expect(world.settle(pass(gateway))).rejects.toMatchObject({ code: "SERVER_BUSY" });
    expect(await world.settle(reading)).toBe("onetwo");
    await world.settle(removed);
  });
});
