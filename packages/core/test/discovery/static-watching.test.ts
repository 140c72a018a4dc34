import { getEventListeners } from "node:events";
import { describe, expect, it } from "vitest";
import { staticDiscovery } from "../../src/discovery/static.ts";
import { settled } from "./manual-clock.ts";
import { brief, Park } from "./park.ts";

const A = { url: "http://a", name: "m" };
const B = { url: "http://b", name: "m" };

async function readyPark(...servers: { url: string; name: string }[]) {
  const park = new Park();
  for (const { url } of servers) park.behaviour.set(`${new URL(url).host}:80`, "ready");
  const discovery = park.open(servers);
  const told: string[] = [];
  const stop = await discovery.watch((change) => told.push(brief(change)));
  await settled();
  return { park, discovery, told, stop };
}

describe("watch", () => {
  it("tells the snapshot before it resolves, and each watcher its own", async () => {
    const { discovery } = await readyPark(A);
    const told: string[] = [];
    let isResolved = false;
    const watching = discovery
      .watch((change) => told.push(`${brief(change)} ${isResolved}`))
      .then((stop) => {
        isResolved = true;
        return stop;
      });
    await watching;
    expect(told).toEqual(["= a:80 ready false"]);
  });

  it("ends with the function that it gave, for that watcher only", async () => {
    const { park, discovery, told, stop } = await readyPark(A);
    const others: string[] = [];
    await discovery.watch((change) => others.push(brief(change)));
    stop();
    stop();
    park.behaviour.set("a:80", "down");
    await park.clock.advance(5100);
    expect(told.at(-1)).toBe("+a:80 ready");
    expect(others.at(-1)).toBe("+a:80 unhealthy");
  });

  it("survives a listener that throws", async () => {
    const park = new Park();
    const discovery = park.open([A]);
    park.behaviour.set("a:80", "ready");
    await discovery.watch(() => {
      throw new Error("a bad listener");
    });
    const told: string[] = [];
    await discovery.watch((change) => told.push(brief(change)));
    await settled();
    park.behaviour.set("a:80", "down");
    await park.clock.advance(5100);
    expect(told).toEqual(["= a:80 starting", "+a:80 ready", "+a:80 unhealthy"]);
  });

  it("tells everybody the same order, though a listener causes changes", async () => {
    const park = new Park();
    const discovery = park.open([A]);
    park.behaviour.set("a:80", "ready");
    await discovery.watch((change) => {
      if (brief(change) === "+a:80 ready") discovery.reload([B]);
    });
    const told: string[] = [];
    await discovery.watch((change) => told.push(brief(change)));
    await settled();
    expect(told.slice(0, 4)).toEqual(["= a:80 starting", "+a:80 ready", "+a:80 draining", "+b:80 starting"]);
  });

  it("tells a watcher that comes in the middle of news nothing older than its snapshot", async () => {
    const park = new Park();
    const discovery = park.open([A, B]);
    const told: string[] = [];
    let isFirst = true;
    await discovery.watch((change) => {
      if (change.kind !== "upsert" || !isFirst) return;
      isFirst = false;
      discovery.reload([]);
      void discovery.watch((news) => told.push(brief(news)));
    });
    await settled();
    expect(told).toEqual(["= a:80 draining, b:80 draining"]);
  });

  it("rejects when aborted before", async () => {
    const { discovery } = await readyPark(A);
    const reason = new Error("enough");
    await expect(discovery.watch(() => {}, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
  });
});

describe("reload", () => {
  it("drains what is gone at once, and removes it after its time", async () => {
    const { park, discovery, told } = await readyPark(A, B);
    discovery.reload([B]);
    expect(told.at(-1)).toBe("+a:80 draining");
    const probesBefore = park.probedAt("a:80").length;
    await park.clock.advance(29_999);
    expect(told.at(-1)).toBe("+a:80 draining");
    await park.clock.advance(1);
    expect(told.at(-1)).toBe("-a:80");
    expect(park.probedAt("a:80")).toHaveLength(probesBefore);
  });

  it("removes a draining server when told to forget it", async () => {
    const { park, discovery, told } = await readyPark(A, B);
    discovery.reload([B]);
    expect(discovery.forget("b:80")).toBe(false);
    expect(discovery.forget("a:80")).toBe(true);
    expect(discovery.forget("a:80")).toBe(false);
    expect(told.at(-1)).toBe("-a:80");
    await park.clock.advance(60_000);
    expect(told.filter((change) => change === "-a:80")).toHaveLength(1);
  });

  it("shows a draining server to who watches anew", async () => {
    const { discovery } = await readyPark(A, B);
    discovery.reload([B]);
    const told: string[] = [];
    await discovery.watch((change) => told.push(brief(change)));
    expect(told).toEqual(["= b:80 ready, a:80 draining"]);
  });

  it("begins anew with a server that comes back while it drains", async () => {
    const { park, discovery, told } = await readyPark(A);
    discovery.reload([]);
    discovery.reload([A]);
    await settled();
    expect(told.slice(-3)).toEqual(["+a:80 draining", "+a:80 starting", "+a:80 ready"]);
    await park.clock.advance(60_000);
    expect(told).not.toContain("-a:80");
  });

  it("adds new ones, leaves the same ones alone, and tells changed ones", async () => {
    const { park, discovery, told } = await readyPark(A);
    const before = told.length;
    discovery.reload([A, B]);
    await settled();
    expect(told.slice(before)).toEqual(["+b:80 starting", "+b:80 starting"]);
    const servers: unknown[] = [];
    await discovery.watch((change) => change.kind === "upsert" && servers.push(change.server));
    discovery.reload([{ url: "http://a/", models: ["m", "n"], limit: 2 } as unknown as typeof A, B]);
    expect(servers).toEqual([
      { id: "a:80", url: "http://a", models: ["m", "n"], protocol: "cms", limit: 2, state: "ready" },
    ]);
    expect(park.probedAt("a:80")).toEqual([0]);
  });

  it("takes another address under the same id for another server, and drops the old one's probe", async () => {
    const park = new Park();
    const discovery = park.open([{ ...A, id: "x" }]);
    const told: string[] = [];
    park.behaviour.set("x", "hangs");
    await discovery.watch((change) => told.push(brief(change)));
    park.behaviour.set("x", "ready");
    discovery.reload([{ ...B, id: "x" }]);
    await settled();
    expect(told).toEqual(["= x starting", "+x starting", "+x ready"]);
    expect(park.aborted).toEqual(["x"]);
    await park.clock.advance(4999);
    expect(told).toHaveLength(3);
  });

  it("refuses a bad list as a whole", async () => {
    const { discovery, told } = await readyPark(A);
    const before = told.length;
    expect(() => discovery.reload([B, { url: "nonsense", name: "m" }])).toThrow(/servers\[1\]\.url/);
    expect(told).toHaveLength(before);
  });
});

describe("close", () => {
  it("ends probes, timers and tellings, and is idempotent", async () => {
    const { park, discovery, told } = await readyPark(A, B);
    discovery.reload([A]);
    park.behaviour.set("a:80", "hangs");
    const refreshed = expect(discovery.refresh()).rejects.toMatchObject({ code: "CLOSED" });
    await settled();
    await Promise.all([discovery.close(), discovery.close()]);
    await refreshed;
    await settled();
    expect(park.aborted).toEqual(["a:80"]);
    expect(park.clock.pending).toBe(0);
    const before = [told.length, park.probes.length];
    await park.clock.advance(60_000);
    expect([told.length, park.probes.length]).toEqual(before);
  });

  it("makes everything after it fail", async () => {
    const { discovery } = await readyPark(A);
    await discovery.close();
    const closed = expect.objectContaining({ code: "CLOSED" });
    await expect(discovery.watch(() => {})).rejects.toEqual(closed);
    await expect(discovery.refresh()).rejects.toEqual(closed);
    expect(() => discovery.reload([])).toThrow(closed);
  });

  it("leaves no listener on the caller's signal", async () => {
    const { discovery } = await readyPark(A);
    const { signal } = new AbortController();
    await discovery.refresh({ signal });
    await discovery.watch(() => {}, { signal });
    expect(getEventListeners(signal, "abort")).toHaveLength(0);
  });
});

describe("options", () => {
  it.each([
    ["intervalMs", { intervalMs: 0 }],
    ["probeTimeoutMs", { probeTimeoutMs: Number.NaN }],
    ["maxProbes", { maxProbes: 0.5 }],
    ["drainMs", { drainMs: -1 }],
    ["probe", { probe: undefined }],
    ["intervall", { intervall: 3 }],
  ])("refuse a bad %s by name", (field, options: object) => {
    const park = new Park();
    expect(() => staticDiscovery({ servers: [], probe: park.probe, ...options })).toThrow(
      expect.objectContaining({ code: "INVALID_OPTIONS", details: { field } }),
    );
  });

  it("allow no server at all, and a drain of no time", async () => {
    const park = new Park();
    const discovery = park.open([], { drainMs: 0 });
    const told: string[] = [];
    await discovery.watch((change) => told.push(brief(change)));
    discovery.reload([A]);
    discovery.reload([]);
    await park.clock.advance(0);
    expect(told).toEqual(["= ", "+a:80 starting", "+a:80 draining", "-a:80"]);
  });
});
