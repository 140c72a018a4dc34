import { describe, expect, it } from "vitest";
import type { ProbeReport } from "../../src/contracts/server-protocol.ts";
import { settled } from "./manual-clock.ts";
import { brief, Park } from "./park.ts";

const A = { url: "http://a", name: "m" };
const B = { url: "http://b", name: "m" };

async function watched(park: Park, servers = [A], options = {}) {
  const discovery = park.open(servers, options);
  const told: string[] = [];
  await discovery.watch((change) => told.push(brief(change)));
  await settled();
  return { discovery, told };
}

describe("probing", () => {
  it("begins with the first watch, not before", async () => {
    const park = new Park();
    park.open([A]);
    await park.clock.advance(10_000);
    expect(park.probes).toEqual([]);
    expect(park.clock.pending).toBe(0);
  });

  it("of a starting server backs off from 100 ms to 1 s", async () => {
    const park = new Park();
    const { told } = await watched(park);
    await park.clock.advance(6000);
    const at = park.probedAt("a:80");
    expect(at.slice(1).map((ms, index) => ms - (at[index] ?? 0))).toEqual([
      100, 160, 256, 410, 655, 1000, 1000, 1000, 1000,
    ]);
    // The second telling is the reason, which was not known at first.
    expect(told).toEqual(["= a:80 starting", "+a:80 starting"]);
  });

  it("of a ready server goes on every interval", async () => {
    const park = new Park();
    park.behaviour.set("a:80", "ready");
    const { told } = await watched(park);
    await park.clock.advance(15_000);
    expect(park.probedAt("a:80")).toEqual([0, 5000, 10_000, 15_000]);
    expect(told).toEqual(["= a:80 starting", "+a:80 ready"]);
  });

  it("forgives one failure and asks again soon", async () => {
    const park = new Park();
    park.behaviour.set("a:80", "ready");
    const { told } = await watched(park);
    park.behaviour.set("a:80", "down");
    await park.clock.advance(5050);
    park.behaviour.set("a:80", "ready");
    await park.clock.advance(5100);
    expect(park.probedAt("a:80")).toEqual([0, 5000, 5100, 10_100]);
    expect(told).toEqual(["= a:80 starting", "+a:80 ready"]);
  });

  it("calls a server unhealthy after two failures, and ready after one success", async () => {
    const park = new Park();
    park.behaviour.set("a:80", "ready");
    const { told } = await watched(park);
    park.behaviour.set("a:80", "down");
    await park.clock.advance(5099);
    expect(told.at(-1)).toBe("+a:80 ready");
    await park.clock.advance(1);
    expect(told.at(-1)).toBe("+a:80 unhealthy");
    park.behaviour.set("a:80", "ready");
    await park.clock.advance(160);
    expect(told.at(-1)).toBe("+a:80 ready");
    expect(park.probedAt("a:80")).toEqual([0, 5000, 5100, 5260]);
    expect(told).toHaveLength(4);
  });

  it("tells why a server is not ready, and which incarnation answered", async () => {
    const park = new Park();
    park.behaviour.set("a:80", { ready: true, instance: "boot-1" });
    const discovery = park.open([{ ...A, limit: 3 }]);
    const servers: unknown[] = [];
    await discovery.watch((change) => change.kind === "upsert" && servers.push(change.server));
    await settled();
    park.behaviour.set("a:80", { ready: true, instance: "boot-2" });
    await park.clock.advance(5000);
    park.behaviour.set("a:80", "down");
    await park.clock.advance(5100);
    const common = { id: "a:80", url: "http://a", models: ["m"], protocol: "cms", limit: 3 };
    expect(servers).toEqual([
      { ...common, state: "ready", instance: "boot-1" },
      { ...common, state: "ready", instance: "boot-2" },
      { ...common, state: "unhealthy", instance: "boot-2", details: { reason: "no connection" } },
    ]);
    expect(discovery.capabilities).toEqual({ instances: false });
  });

  it("takes a probe that throws for a failure, and keeps what it said to itself", async () => {
    const park = new Park();
    park.behaviour.set("a:80", "throws");
    const discovery = park.open([{ url: "http://user:secret@a", name: "m" }]);
    const told: unknown[] = [];
    await discovery.watch((change) =>
      told.push(change.kind === "upsert" ? change.server.details : undefined),
    );
    await settled();
    expect(told).toEqual([undefined, { reason: "the probe failed" }]);
  });

  it("gives a probe up at its time limit, though it does not listen", async () => {
    const park = new Park();
    const deaf = (): Promise<ProbeReport> => new Promise(() => {});
    const { told } = await watched(park, [A], { probe: deaf });
    await park.clock.advance(1999);
    expect(told).toHaveLength(1);
    await park.clock.advance(1);
    expect(told).toHaveLength(2);
  });

  it("aborts a probe at its time limit", async () => {
    const park = new Park();
    park.behaviour.set("a:80", "hangs");
    await watched(park);
    expect(park.aborted).toEqual([]);
    await park.clock.advance(2000);
    expect(park.aborted).toEqual(["a:80"]);
  });

  it("of one server does not wait for another that hangs", async () => {
    const park = new Park();
    park.behaviour.set("a:80", "hangs").set("b:80", "ready");
    const { told } = await watched(park, [A, B]);
    expect(told).toContain("+b:80 ready");
    await park.clock.advance(20_000);
    expect(park.probedAt("b:80")).toEqual([0, 5000, 10_000, 15_000, 20_000]);
  });

  it("runs sixteen at once, ready servers first", async () => {
    const park = new Park();
    const many = Array.from({ length: 60 }, (_, index) => ({ url: `http://h${index}`, name: "m" }));
    for (const { url } of many) park.behaviour.set(`${new URL(url).host}:80`, "hangs");
    park.behaviour.set("a:80", "ready");
    await watched(park, [A, ...many]);
    expect(park.mostRunning).toBe(16);
    await park.clock.advance(60_000);
    expect(park.mostRunning).toBe(16);
    const at = park.probedAt("a:80");
    const longest = Math.max(...at.slice(1).map((ms, index) => ms - (at[index] ?? 0)));
    expect(longest).toBeLessThanOrEqual(7000);
    expect(new Set(park.probes.map(({ id }) => id)).size).toBe(61);
  });

  it("asks the protocol that the server names", async () => {
    const park = new Park();
    const asked: string[] = [];
    const probes = new Map(
      ["cms", "other"].map((name) => [
        name,
        {
          probe: async () => {
            asked.push(name);
            return { ready: true };
          },
        },
      ]),
    );
    await watched(park, [A, { ...B, protocol: "other" }] as (typeof A)[], { probe: probes });
    expect(asked).toEqual(["cms", "other"]);
    expect(() => park.open([{ ...A, protocol: "none" }], { probe: probes })).toThrow(
      /servers\[0\]\.protocol/,
    );
  });
});

describe("refresh", () => {
  it("probes every server now and resolves when the news are told", async () => {
    const park = new Park();
    const { discovery, told } = await watched(park, [A, B]);
    park.behaviour.set("a:80", "ready").set("b:80", "ready");
    await discovery.refresh();
    expect(told.slice(-2)).toEqual(["+a:80 ready", "+b:80 ready"]);
    await park.clock.advance(5000);
    expect(park.probedAt("a:80")).toEqual([0, 0, 5000]);
  });

  it("begins the probing when nobody watches", async () => {
    const park = new Park();
    const discovery = park.open([A]);
    park.behaviour.set("a:80", "ready");
    await discovery.refresh();
    const told: string[] = [];
    await discovery.watch((change) => told.push(brief(change)));
    expect(told).toEqual(["= a:80 ready"]);
    expect(park.probes).toHaveLength(1);
  });

  it("during a probe waits for one that begins after it, shared by all who ask", async () => {
    const park = new Park();
    park.behaviour.set("a:80", "hangs");
    const { discovery, told } = await watched(park);
    park.behaviour.set("a:80", "ready");
    const refreshed = Promise.all([discovery.refresh(), discovery.refresh(), discovery.refresh()]);
    await settled();
    expect(told).toHaveLength(1);
    await park.clock.advance(2000);
    await refreshed;
    expect(told.at(-1)).toBe("+a:80 ready");
    expect(park.probes).toHaveLength(2);
  });

  it("stops waiting when aborted, and rejects with the reason", async () => {
    const park = new Park();
    park.behaviour.set("a:80", "hangs");
    const { discovery } = await watched(park);
    const controller = new AbortController();
    const refreshed = discovery.refresh({ signal: controller.signal });
    const reason = new Error("enough");
    controller.abort(reason);
    await expect(refreshed).rejects.toBe(reason);
    await expect(discovery.refresh({ signal: controller.signal })).rejects.toBe(reason);
  });
});
