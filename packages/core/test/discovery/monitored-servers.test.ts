import { describe, expect, it } from "vitest";
import type { DiscoveryChange } from "../../src/contracts/discovery.ts";
import { MonitoredServers } from "../../src/discovery/monitored-servers.ts";
import { checkProbeOptions } from "../../src/discovery/probe-settings.ts";
import type { ServerEntry } from "../../src/discovery/server-entry.ts";

const entry = (parts: Partial<ServerEntry> = {}): ServerEntry => ({
  ...{ id: "a", url: "http://a", models: ["m"], protocol: "cms", limit: undefined },
  ...parts,
});

/** Servers that are all ready, unless `isReady` says no, and what was told of them. */
function monitored(isReady: () => boolean = () => true): {
  servers: MonitoredServers;
  told: string[];
  changes: DiscoveryChange[];
  probes: () => number;
} {
  let probes = 0;
  const probe = async (): Promise<{ ready: boolean }> => {
    probes += 1;
    return { ready: isReady() };
  };
  const servers = new MonitoredServers(
    checkProbeOptions({ probe, intervalMs: 60_000, firstRetryMs: 60_000 }),
  );
  const told: string[] = [];
  const changes: DiscoveryChange[] = [];
  servers.start();
  servers.watch((change) => {
    changes.push(change);
    if (change.kind === "upsert") told.push(`${change.server.id} ${change.server.state}`);
    else if (change.kind === "removed") told.push(`${change.id} removed`);
    else told.push(`all ${change.servers.map(({ id, state }) => `${id} ${state}`)}`);
  });
  return { servers, told, changes, probes: () => probes };
}

describe("monitored servers", () => {
  it("are told with all that is known of them, and under their reason when they are not ready", async () => {
    const { servers, changes } = monitored(() => false);
    const known = { instance: "boot", weight: 2, room: { cpus: 1 }, details: { image: "x" } };
    servers.set(entry({ ...known, limit: 3 }));
    await servers.probe();
    expect(changes.at(-1)).toMatchObject({ server: { ...known, limit: 3, state: "starting" } });
    servers.close();
  });

  it("begin anew with another instance, and not with another description", async () => {
    const { servers, told } = monitored();
    servers.set(entry({ instance: "1" }));
    await servers.probe();
    servers.set(entry({ instance: "1", weight: 3 }));
    servers.set(entry({ instance: "2" }));
    await servers.probe();
    expect(told).toEqual(["all ", "a starting", "a ready", "a ready", "a starting", "a ready"]);
    servers.close();
  });

  it("that are suspended are not ready and not probed, and have to show afterwards that they are", async () => {
    const { servers, told, changes, probes } = monitored();
    servers.set(entry());
    await servers.probe();
    servers.set(entry({ suspended: "it is paused" }));
    const before = probes();
    await servers.probe();
    expect(probes()).toBe(before);
    expect(changes.at(-1)).toMatchObject({
      server: { state: "unhealthy", details: { reason: "it is paused" } },
    });
    servers.set(entry());
    expect(told.at(-1)).toBe("a unhealthy");
    await servers.probe();
    expect(told.at(-1)).toBe("a ready");
    servers.close();
  });

  it("are replaced by one snapshot, in which what is the same keeps its state and what drains stays", async () => {
    const { servers, told } = monitored();
    for (const id of ["a", "b", "c"]) servers.set(entry({ id, url: `http://${id}` }));
    await servers.probe();
    servers.drain("b");
    servers.drain("c");
    told.length = 0;
    servers.replace([entry(), entry({ id: "d", url: "http://d" })], new Set(["b"]));
    expect(told).toEqual(["all a ready,d starting,b draining"]);
    await servers.probe();
    expect(told.at(-1)).toBe("d ready");
    servers.close();
  });

  it("are removed once, whether they drain or not", () => {
    const { servers, told } = monitored();
    servers.set(entry());
    expect([servers.drain("a"), servers.drain("a"), servers.isDraining("a")]).toEqual([true, false, true]);
    expect([servers.remove("a"), servers.remove("a")]).toEqual([true, false]);
    expect(told.at(-1)).toBe("a removed");
    servers.close();
  });
});
