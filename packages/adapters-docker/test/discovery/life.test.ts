import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, describe, expect, it, vi } from "vitest";
import { requireService } from "../../../adapters-storage/test/support/services.ts";
import { serverIdOf } from "../../src/discovery/index.ts";
import { statesOf, World } from "../support/world.ts";
import { tell } from "./fixture.ts";

const socketPath = requireService("DOCKER_SOCKET") ?? "";
const image = requireService("DOCKER_TEST_IMAGE") ?? "";
const worlds: World[] = [];

function newWorld(): World {
  const world = new World(socketPath, image);
  worlds.push(world);
  return world;
}

afterEach(async () => {
  await Promise.all(worlds.splice(0).map((world) => world.close()));
});

describe.skipIf(socketPath === "")("the life of a container on a real engine", () => {
  it("is told as draining as soon as its stop is asked for, and as removed when it is over", async () => {
    const world = newWorld();
    const watcher = await world.watch();
    const id = await world.engine.run();
    await watcher.sees(serverIdOf(id), "ready");
    const askedAt = performance.now();
    const stopping = world.engine.act(id, "stop?t=2");
    await watcher.sees(serverIdOf(id), "draining");
    const drainedMs = performance.now() - askedAt;
    await stopping;
    await watcher.misses(serverIdOf(id));
    expect(drainedMs).toBeLessThan(1500);
    expect(statesOf(watcher, serverIdOf(id)).slice(-3)).toEqual(["ready", "draining", "removed"]);
  });

  it("ends when it is killed, ends by itself, or is removed by hand", async () => {
    const world = newWorld();
    const { engine } = world;
    const watcher = await world.watch();
    const ends = "setTimeout(() => process.exit(3), 1500); ";
    const [killed, removed] = [await engine.run(), await engine.run()];
    const exits = await engine.run({ entrypoint: ["/usr/bin/node", "-e", ends] });
    for (const id of [killed, removed]) await watcher.sees(serverIdOf(id), "ready");
    await engine.act(killed, "kill");
    await engine.remove(removed);
    for (const id of [killed, removed, exits]) await watcher.misses(serverIdOf(id));
    expect(statesOf(watcher, serverIdOf(exits))).toEqual(["starting", "removed"]);
  });

  it("is not drained by a signal that asks for something else", async () => {
    const world = newWorld();
    const watcher = await world.watch();
    const handles = 'process.on("SIGHUP", () => {}); ';
    const id = await world.engine.run({ entrypoint: ["/usr/bin/node", "-e", `${handles}${SERVER}`] });
    await watcher.sees(serverIdOf(id), "ready");
    await world.engine.act(id, "kill?signal=HUP");
    await sleep(200);
    expect(watcher.stateOf(serverIdOf(id))).toBe("ready");
  });

  it("goes on when it was asked to stop and did not", async () => {
    const world = newWorld();
    const watcher = await world.watch({ drainMs: 300, listIntervalMs: 200 });
    const id = await world.engine.run();
    await watcher.sees(serverIdOf(id), "ready");
    await world.engine.act(id, "kill?signal=TERM");
    await watcher.sees(serverIdOf(id), "draining");
    await watcher.sees(serverIdOf(id), "ready");
  });

  it("is unhealthy while it is paused, and ready again afterwards", async () => {
    const world = newWorld();
    const watcher = await world.watch();
    const id = await world.engine.run();
    await watcher.sees(serverIdOf(id), "ready");
    await world.engine.act(id, "pause");
    await watcher.sees(serverIdOf(id), "unhealthy");
    expect(watcher.server(serverIdOf(id)).details?.["reason"]).toBe("its container is paused");
    const later = await world.watch();
    expect(later.stateOf(serverIdOf(id)), "in the snapshot of one who comes meanwhile").toBe("starting");
    await sleep(200);
    expect(later.stateOf(serverIdOf(id)), "as long as it is paused").toBe("starting");
    await world.engine.act(id, "unpause");
    await watcher.sees(serverIdOf(id), "ready");
    await later.sees(serverIdOf(id), "ready");
  });

  it("begins anew when it is started again, with another address and another instance", async () => {
    const world = newWorld();
    const { engine } = world;
    const watcher = await world.watch();
    const [id, taker] = [await engine.run(), await engine.create()];
    await watcher.sees(serverIdOf(id), "ready");
    const before = watcher.server(serverIdOf(id));
    await engine.act(id, "stop?t=0");
    await watcher.misses(serverIdOf(id));
    await engine.act(taker, "start");
    await engine.act(id, "start");
    await watcher.sees(serverIdOf(id), "ready");
    const after = watcher.server(serverIdOf(id));
    expect(after.url).not.toBe(before.url);
    expect(after.instance).not.toBe(before.instance);
    expect(after.instance?.split("@")[0]).toBe(before.instance?.split("@")[0]);
  });

  it("is told with the state of its health check as a hint, which does not decide", async () => {
    const world = newWorld();
    const watcher = await world.watch();
    const Test = ["CMD", "/usr/bin/node", "-e", "process.exit(1)"];
    const Healthcheck = { Test, Interval: 200e6, Timeout: 5e9, Retries: 1 };
    const id = await world.engine.run({ config: { Healthcheck } });
    await watcher.sees(serverIdOf(id), "ready");
    const health = (): string | undefined => watcher.server(serverIdOf(id)).details?.["health"];
    await vi.waitFor(() => expect(health()).toBe("unhealthy"), 10_000);
    expect(watcher.stateOf(serverIdOf(id))).toBe("ready");
    await tell(`${watcher.server(serverIdOf(id)).url}/unready`);
    await watcher.sees(serverIdOf(id), "unhealthy");
  });
});

const SERVER = `require("node:http").createServer((_, response) => response.end("medcat_snomed")).listen(8000)`;
