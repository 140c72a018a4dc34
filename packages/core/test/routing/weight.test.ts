import { expect, it } from "vitest";
import { systemClock } from "../../src/clock.ts";
import { memoryDiscovery } from "../../src/memory/discovery.ts";
import { ServerDirectory } from "../../src/routing/server-directory.ts";

it("a server of twice the weight costs half as much at the same latency", async () => {
  const discovery = memoryDiscovery();
  const server = { models: ["m"], protocol: "cms", state: "ready" } as const;
  discovery.set({ ...server, id: "light", url: "http://a" });
  discovery.set({ ...server, id: "heavy", url: "http://b", weight: 2 });
  const directory = new ServerDirectory({
    clock: systemClock,
    discoveries: [discovery],
    defaultLimit: 4,
    modelMemoryMs: 1000,
    speaks: () => true,
    onChange: () => {},
  });
  await directory.start();
  for (const id of ["light", "heavy"]) directory.get(id)?.slots.succeeded(100, 1, 0);
  const costs = new Map(directory.wants().map((want) => [want.server, want.cost]));
  expect(costs.get("light")).toBe(100);
  expect(costs.get("heavy")).toBe(50);
  directory.stop();
  await discovery.close();
});
