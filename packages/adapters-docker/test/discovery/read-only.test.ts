import { readFileSync } from "node:fs";
import { afterEach, describe, expect, it, vi } from "vitest";
import { requireService } from "../../../adapters-storage/test/support/services.ts";
import { serverIdOf } from "../../src/discovery/index.ts";
import { Filter } from "../support/filter.ts";
import { World } from "../support/world.ts";

const socketPath = requireService("DOCKER_SOCKET") ?? "";
const image = requireService("DOCKER_TEST_IMAGE") ?? "";
const closing: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

/** The calls that the reference names, with `{id}` for any one. */
function documentedCalls(): readonly RegExp[] {
  const page = readFileSync(new URL("../../../../docs/reference/docker.md", import.meta.url), "utf8");
  const section = page.split("## What is asked of the engine")[1]?.split("\n## ")[0] ?? "";
  const calls = [...section.matchAll(/`(GET \/\S+)`/g)].map(([, call = ""]) => call);
  return calls.map((call) => new RegExp(`^${call.replace("{id}", "[0-9a-f]+")}$`));
}

async function filtered(isAllowed: (call: string) => boolean): Promise<{ filter: Filter; world: World }> {
  const filter = new Filter(socketPath, isAllowed);
  await filter.open();
  closing.push(() => filter.close());
  const world = new World(socketPath, image);
  closing.push(() => world.close());
  return { filter, world };
}

describe.skipIf(socketPath === "")("the Docker discovery", () => {
  it("asks only what the reference says, through all that happens to containers", async () => {
    const allowed = documentedCalls();
    expect(allowed.length).toBeGreaterThan(3);
    const { filter, world } = await filtered((call) => allowed.some((one) => one.test(call)));
    const watcher = await world.watch({ socketPath: filter.socketPath, listIntervalMs: 200 });
    const id = await world.engine.run();
    await watcher.sees(serverIdOf(id), "ready");
    for (const [action, state] of [
      ["pause", "unhealthy"],
      ["unpause", "ready"],
      ["restart?t=0", "ready"],
    ] as const) {
      await world.engine.act(id, action);
      await watcher.sees(serverIdOf(id), state);
    }
    await world.engine.remove(id);
    await watcher.misses(serverIdOf(id));
    expect(filter.refused).toEqual([]);
    expect(filter.calls.filter((call) => !call.startsWith("GET "))).toEqual([]);
    expect(new Set(filter.calls).size).toBeGreaterThan(3);
  });

  it("works where /info is refused too", async () => {
    const { filter, world } = await filtered((call) => call !== "GET /info");
    const watcher = await world.watch({ socketPath: filter.socketPath });
    const id = await world.engine.run();
    await watcher.sees(serverIdOf(id), "ready");
    expect(filter.refused).toEqual(["GET /info"]);
  });

  it("inspects no container twice, and none that does not run, however often it lists", async () => {
    const { filter, world } = await filtered(() => true);
    const created = await Promise.all(Array.from({ length: 5 }, () => world.engine.create()));
    const id = await world.engine.run();
    const watcher = await world.watch({ socketPath: filter.socketPath, listIntervalMs: 50 });
    await watcher.sees(serverIdOf(id), "ready");
    const listings = (): number => filter.calls.filter((call) => call === "GET /containers/json").length;
    await vi.waitFor(() => expect(listings()).toBeGreaterThan(8), 5000);
    expect(filter.calls.filter((call) => call === `GET /containers/${id}/json`)).toHaveLength(1);
    expect(filter.calls.filter((call) => created.some((other) => call.includes(other)))).toEqual([]);
    expect(watcher.snapshots, "nothing was unheard").toBe(1);
  });

  it("lists no more than twice a minute when nothing happens", async () => {
    const { filter, world } = await filtered(() => true);
    const timers: number[] = [];
    const clock = {
      now: () => Date.now(),
      monotonic: () => performance.now(),
      after(delayMs: number, callback: () => void) {
        timers.push(delayMs);
        const timer = setTimeout(callback, delayMs);
        return () => clearTimeout(timer);
      },
    };
    await world.watch({ socketPath: filter.socketPath, clock });
    expect(filter.calls.filter((call) => call === "GET /containers/json")).toHaveLength(1);
    expect(timers).toContain(60_000);
  });
});
