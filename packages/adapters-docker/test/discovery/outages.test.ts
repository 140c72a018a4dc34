import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, describe, expect, it, vi } from "vitest";
import { requireService } from "../../../adapters-storage/test/support/services.ts";
import { serverIdOf } from "../../src/discovery/index.ts";
import { type OwnEngine, startEngine } from "../support/own-engine.ts";
import { Relay } from "../support/relay.ts";
import { statesOf, World } from "../support/world.ts";

const socketPath = requireService("DOCKER_SOCKET") ?? "";
const image = requireService("DOCKER_TEST_IMAGE") ?? "";
const closing: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

async function relayedWorld(): Promise<{ world: World; relay: Relay }> {
  const relay = await Relay.to(socketPath);
  closing.push(() => relay.close());
  const world = new World(socketPath, image);
  closing.push(() => world.close());
  return { world, relay };
}

/** An engine that a test may stop. */
async function ownEngine(liveRestore: boolean): Promise<{ docker: OwnEngine; world: World }> {
  const docker = await startEngine(liveRestore);
  closing.push(() => docker.close());
  const world = new World(docker.socket, docker.env["DOCKER_TEST_IMAGE"] ?? "");
  closing.push(() => world.close());
  return { docker, world };
}

describe.skipIf(socketPath === "")("while the engine cannot be heard", () => {
  it("watch resolves soon and with nothing, and servers are told when the engine is there", async () => {
    const { world, relay } = await relayedWorld();
    await relay.cut();
    const id = await world.engine.run();
    const begunAt = performance.now();
    const watcher = await world.watch({ socketPath: relay.socketPath });
    expect(performance.now() - begunAt).toBeLessThan(3000);
    expect(watcher.changes).toEqual([{ kind: "snapshot", servers: [] }]);
    await sleep(1500);
    await relay.open();
    const openedAt = performance.now();
    await watcher.sees(serverIdOf(id), "ready");
    expect(performance.now() - openedAt, "from the engine's first answer").toBeLessThan(2000);
  });

  it("servers stay known and are probed on; what happened meanwhile is told afterwards", async () => {
    const { world, relay } = await relayedWorld();
    const { engine } = world;
    const [gone, kept] = [await engine.run(), await engine.run()];
    const watcher = await world.watch({ socketPath: relay.socketPath });
    for (const id of [gone, kept]) await watcher.sees(serverIdOf(id), "ready");
    await relay.cut();
    await engine.remove(gone);
    await watcher.sees(serverIdOf(gone), "unhealthy");
    expect(watcher.stateOf(serverIdOf(kept))).toBe("ready");
    const added = await engine.run();
    await relay.open();
    await watcher.sees(serverIdOf(added), "ready");
    expect([...watcher.known.keys()].sort()).toEqual([kept, added].map(serverIdOf).sort());
    expect(statesOf(watcher, serverIdOf(kept))).toEqual(["starting", "ready"]);
  });

  it("a hanging engine holds up neither watch nor the probes", async () => {
    const { world, relay } = await relayedWorld();
    const id = await world.engine.run();
    const options = { socketPath: relay.socketPath, timeoutMs: 500, listIntervalMs: 300 };
    const watcher = await world.watch(options);
    await watcher.sees(serverIdOf(id), "ready");
    relay.holdUp();
    await sleep(1500);
    expect(watcher.stateOf(serverIdOf(id))).toBe("ready");
    await world.engine.remove(id);
    await watcher.sees(serverIdOf(id), "unhealthy");
    const begunAt = performance.now();
    const late = await world.watch(options);
    expect(performance.now() - begunAt).toBeLessThan(3000);
    expect([...late.known.keys()]).toEqual([]);
  });

  it("a stream of events that is silent without an end is found out by listing", async () => {
    const { world, relay } = await relayedWorld();
    const watcher = await world.watch({ socketPath: relay.socketPath, listIntervalMs: 300 });
    relay.silenceStreams();
    const id = await world.engine.run();
    await watcher.sees(serverIdOf(id), "ready");
    await vi.waitFor(() => expect(watcher.snapshots).toBe(2));
  });
});

describe.skipIf(socketPath === "")("when the engine itself", () => {
  it("is stopped and started, servers that went with it are removed, and those started again are found", async () => {
    const { docker, world } = await ownEngine(false);
    const [stays, returns] = [
      await world.engine.run(),
      await world.engine.run({ host: { RestartPolicy: { Name: "always" } } }),
    ];
    const watcher = await world.watch();
    for (const id of [stays, returns]) await watcher.sees(serverIdOf(id), "ready");
    const { instance } = watcher.server(serverIdOf(returns));
    await docker.stop();
    await docker.start();
    await watcher.misses(serverIdOf(stays));
    await vi.waitFor(() => {
      expect(watcher.server(serverIdOf(returns))).toMatchObject({ state: "ready" });
      expect(watcher.server(serverIdOf(returns)).instance).not.toBe(instance);
    }, 10_000);
  }, 90_000);

  it("is stopped and started with live-restore, servers go on without a break", async () => {
    const { docker, world } = await ownEngine(true);
    const id = await world.engine.run();
    const watcher = await world.watch();
    await watcher.sees(serverIdOf(id), "ready");
    const { instance } = watcher.server(serverIdOf(id));
    await docker.stop();
    await sleep(500);
    expect(watcher.stateOf(serverIdOf(id))).toBe("ready");
    await docker.start();
    const startedAt = performance.now();
    await vi.waitFor(() => expect(watcher.snapshots).toBe(2), 5000);
    expect(performance.now() - startedAt, "until all is listed again").toBeLessThan(2000);
    expect(watcher.server(serverIdOf(id)).instance).toBe(instance);
    expect(statesOf(watcher, serverIdOf(id))).toEqual(["starting", "ready"]);
  }, 90_000);

  it("is killed, hangs, or loses its host, what there is afterwards is told", async () => {
    const { docker, world } = await ownEngine(false);
    const id = await world.engine.run({ host: { RestartPolicy: { Name: "always" } } });
    const watcher = await world.watch({ timeoutMs: 1000, listIntervalMs: 500 });
    await watcher.sees(serverIdOf(id), "ready");
    await docker.pause();
    await sleep(2500);
    expect(watcher.stateOf(serverIdOf(id)), "while it hangs").toBe("ready");
    await docker.resume();
    await docker.kill();
    await docker.start();
    const isReady = (): void => expect(watcher.stateOf(serverIdOf(id))).toBe("ready");
    const added = await world.engine.run();
    await watcher.sees(serverIdOf(added), "ready");
    await vi.waitFor(isReady, 10_000);
    await docker.crashHost();
    await vi.waitFor(() => expect(watcher.stateOf(serverIdOf(id))).not.toBe("ready"), 10_000);
    await docker.start();
    await vi.waitFor(isReady, 15_000);
    await watcher.misses(serverIdOf(added));
  }, 120_000);
});
