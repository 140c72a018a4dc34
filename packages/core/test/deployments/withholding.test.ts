import { describe, expect, it } from "vitest";
import { SimProcess } from "../../sim/sim-process.ts";
import { VirtualTime } from "../../sim/virtual-time.ts";
import { DeploymentActivity } from "../../src/deployments/activity.ts";
import { drain, type Entry, newEntry, returnToWork } from "../../src/deployments/entry.ts";
import { Presence } from "../../src/deployments/presence.ts";
import { memoryRecordStore } from "../../src/memory/index.ts";
import { deploymentsOf, World } from "./support/world.ts";

const MODEL = "m";
const LEASE_MS = 3_000;

/** An on-demand server that is idle and about to be stopped, which its engine does not get to; and a task for it. */
async function stopping(world: World, { gateway }: Awaited<ReturnType<World["start"]>>) {
  const configuration = { model: MODEL, modelUri: "s3://m", idleTtlMs: 10_000 };
  await world.settle(deploymentsOf(gateway).configurations.create(configuration));
  const first = await world.settle(gateway.submit({ model: MODEL, operation: "work" }));
  await world.settle(gateway.wait(first.id));
  return async () => {
    await world.until("it drains", async () => (await world.entries())[0]?.phase === "draining");
    world.engine.stopEngine({ hangs: true });
    await world.until("it stops", async () => (await world.entries())[0]?.phase === "stopping");
    return await world.settle(gateway.submit({ model: MODEL, operation: "work" }));
  };
}

describe("a server that is being taken down", () => {
  it("gets nothing from a gateway that comes back and has not read yet what was decided without it", async () => {
    const world = new World({ leaseMs: LEASE_MS, workMs: 2_000 });
    const node = await world.start("a");
    const away = await world.start("b");
    const stop = await stopping(world, node);
    away.process.pause();
    const { id } = await stop();
    const get = world.records.get.bind(world.records);
    world.records.get = async (...given) => {
      await world.time.sleep(500);
      return await get(...given);
    };
    away.process.resume();
    await world.time.run(world.time.nowMs + 400);
    expect([...world.calls]).toEqual([]);
    world.records.get = get;
    world.engine.startEngine();
    expect((await world.settle(node.gateway.wait(id))).state).toBe("succeeded");
    expect(world.events("created")).toBe(2);
    expect(world.violations).toEqual([]);
  });

  it("gets nothing from a gateway that was away when it was deployed, and cannot read that it was", async () => {
    const world = new World({ leaseMs: LEASE_MS, workMs: 2_000 });
    const node = await world.start("a");
    const away = await world.start("b");
    world.discovery.set({ id: "theirs", url: "memory:", models: ["s"], protocol: "memory", state: "ready" });
    await world.time.run(world.time.nowMs + 2_000);
    away.process.pause();
    const stop = await stopping(world, node);
    const { id } = await stop();
    const { get, put } = world.records;
    world.records.get = () => new Promise(() => {});
    world.records.put = () => new Promise(() => {});
    away.process.resume();
    await world.time.run(world.time.nowMs + 1_000);
    expect([...world.calls]).toEqual([]);
    // What is none of ours was known before, and gets its work all the same.
    const theirs = await world.settle(node.gateway.submit({ model: "s", operation: "work" }));
    expect((await world.settle(away.gateway.wait(theirs.id))).state).toBe("succeeded");
    Object.assign(world.records, { get, put });
    world.engine.startEngine();
    expect((await world.settle(node.gateway.wait(id))).state).toBe("succeeded");
    expect(world.violations).toEqual([]);
  });

  it("stays when its try counted as failed and its engine had it ready again meanwhile", async () => {
    const world = new World({
      workMs: 2_000,
      behaviour: (_spec, _identity, start) =>
        start === 1 ? { readyAfterMs: 1_000, exit: { afterMs: 200, code: 1 } } : { readyAfterMs: 50 },
    });
    const { gateway } = await world.start("a");
    const put = world.records.put.bind(world.records);
    world.records.put = async (key, ...given) => {
      // The log of the server that ended is kept before the server is removed.
      if (key.startsWith("deployments/logs/")) await world.time.sleep(600);
      return await put(key, ...given);
    };
    await world.settle(deploymentsOf(gateway).deploy({ model: MODEL, modelUri: "s3://m" }));
    const { id } = await world.settle(gateway.submit({ model: MODEL, operation: "work" }));
    expect((await world.settle(gateway.wait(id))).state).toBe("succeeded");
    expect(world.violations).toEqual([]);
    await world.until("it is ready", async () => (await world.entries())[0]?.phase === "ready");
    expect([world.events("created"), world.events("removed")]).toEqual([1, 0]);
  });
});

interface Known {
  readonly presence: Presence;
  readonly activity: DeploymentActivity;
  readonly tell: (entry: Entry) => Promise<void>;
  readonly learn: (entry: Entry) => void;
}

/** Two gateways as the deployments know them, and the time that they share. */
function twoGateways() {
  const time = new VirtualTime();
  const { clock } = new SimProcess("both", time, { wallOffsetMs: 0, lingersMs: 0 });
  const records = memoryRecordStore();
  const known = (name: string): Known => {
    const presence = new Presence(name, { records, clock, leaseMs: LEASE_MS });
    const host = { clock, name, loadOf: () => ({ inFlight: 0, background: 0 }), barrier: () => () => true };
    const activity = new DeploymentActivity(presence, host);
    return {
      presence,
      activity,
      tell: (entry) => presence.beat(() => activity.marks(new Map([[entry.model, entry]]))),
      learn: (entry) => activity.follow(new Map([[entry.model, entry]])),
    };
  };
  return { time, one: known("one"), other: known("other") };
}

const source = { modelUri: "s3://m", modelType: undefined, trackingId: undefined, demands: undefined };
const times = { ttlMs: undefined, idleTtlMs: 1 };
const room = { memoryBytes: 1, cpus: 1, gpus: 0 };
const ready: Entry = {
  ...newEntry({ model: MODEL, generation: "g", kind: "auto", ...source, ...times, room }, 0),
  phase: "ready",
};

describe("all gateways have acknowledged that a server drains", () => {
  it("only when they were looked at after that was known: one may have come since", async () => {
    const { time, one, other } = twoGateways();
    await one.tell(ready);
    await one.presence.look();
    await other.tell(ready);
    await time.run(10);
    const draining = drain(ready, "removed", 10);
    one.learn(draining);
    expect(one.activity.remaining(draining).isAcknowledged).toBe(false);
    await one.presence.look({ isUrgent: true });
    expect(one.activity.remaining(draining).isAcknowledged).toBe(false);
    other.learn(draining);
    await other.tell(draining);
    await one.presence.look({ isUrgent: true });
    expect(one.activity.remaining(draining).isAcknowledged).toBe(true);
  });

  it("only for this time: what was said before it was needed again is over", async () => {
    const { time, one, other } = twoGateways();
    const first = drain(ready, "idle", 10);
    other.learn(first);
    await other.tell(first);
    await time.run(10);
    // The other one learns that it is needed, and may send it work before it tells of that.
    const needed = returnToWork(first, 20);
    other.learn(needed);
    const second = drain(needed, "idle", 30);
    one.learn(second);
    await one.presence.look({ isUrgent: true });
    expect(one.activity.remaining(second).isAcknowledged).toBe(false);
    other.learn(second);
    await other.tell(second);
    await one.presence.look({ isUrgent: true });
    expect(one.activity.remaining(second).isAcknowledged).toBe(true);
  });
});

describe("a gateway counts as gone", () => {
  it("by what was seen of it, not because nobody looked", async () => {
    const { time, one, other } = twoGateways();
    await other.tell(ready);
    await one.presence.look();
    await time.run(2 * LEASE_MS);
    expect(one.presence.isLive("other")).toBe(true);
    await other.tell(ready);
    await one.presence.look();
    expect(one.presence.isLive("other")).toBe(true);
    await time.run(time.nowMs + LEASE_MS + 1);
    await one.presence.look();
    expect(one.presence.isLive("other")).toBe(false);
  });
});
