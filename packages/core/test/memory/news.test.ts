import { describe, expect, it } from "vitest";
import type { DiscoveryChange, ModelServer } from "../../src/contracts/discovery.ts";
import { memoryDiscovery } from "../../src/memory/discovery.ts";
import { memoryWakeups, memoryWakeupsHub } from "../../src/memory/wakeups.ts";
import { settled } from "../discovery/manual-clock.ts";

function server(id: string, parts: Partial<ModelServer> = {}): ModelServer {
  return { id, url: `memory:${id}`, models: ["m"], protocol: "memory", state: "ready", ...parts };
}

function brief(change: DiscoveryChange): string {
  if (change.kind === "snapshot") return `= ${change.servers.map(({ id, state }) => `${id} ${state}`)}`;
  return change.kind === "upsert" ? `+${change.server.id} ${change.server.state}` : `-${change.id}`;
}

describe("the memory discovery", () => {
  it("tells a snapshot before it resolves, and every change after, until it is stopped", async () => {
    const discovery = memoryDiscovery([server("a")]);
    const told: string[] = [];
    const stop = await discovery.watch((change) => told.push(brief(change)));
    discovery.set(server("b"));
    discovery.set(server("a", { state: "draining" }));
    discovery.remove("a");
    discovery.remove("a");
    stop();
    discovery.remove("b");
    expect(told).toEqual(["= a ready", "+b ready", "+a draining", "-a"]);
  });

  it("tells everybody in one order, also when a listener causes a change or throws", async () => {
    const discovery = memoryDiscovery();
    const told: string[] = [];
    await discovery.watch((change) => {
      if (change.kind === "upsert" && change.server.id === "a") discovery.set(server("b"));
      throw new Error("a bad listener");
    });
    await discovery.watch((change) => told.push(brief(change)));
    discovery.set(server("a"));
    expect(told).toEqual(["= ", "+a ready", "+b ready"]);
  });

  it("is over after close", async () => {
    const discovery = memoryDiscovery();
    await discovery.close();
    await expect(discovery.watch(() => {})).rejects.toMatchObject({ code: "CLOSED" });
    expect(() => discovery.set(server("a"))).toThrow(expect.objectContaining({ code: "CLOSED" }));
  });
});

describe("the memory wakeups", () => {
  it("without a hub are heard by the users of one object only", async () => {
    const [own, alone, shared] = [
      memoryWakeups(),
      memoryWakeups(),
      memoryWakeups({ hub: memoryWakeupsHub() }),
    ];
    const heard: string[] = [];
    own.subscribe("work", (names) => heard.push(`own ${names}`));
    alone.subscribe("work", () => heard.push("alone"));
    shared.subscribe("work", () => heard.push("shared"));
    await own.publish("work", ["a", "b"]);
    await settled();
    expect(heard).toEqual(["own a,b"]);
  });
});
