import { describe, expect, it } from "vitest";
import type { DeployedServer, Deployer, ServerSpec } from "../../src/contracts/deployer.ts";
import type { DiscoveryChange } from "../../src/contracts/discovery.ts";
import { createGateway } from "../../src/gateway.ts";
import { memoryDeployer } from "../../src/memory/deployer.ts";
import { memoryEngine } from "../../src/memory/deployer-engine.ts";
import type { MemoryEngineOptions } from "../../src/memory/deployer-types.ts";
import { memoryDiscovery } from "../../src/memory/discovery.ts";
import { memoryProtocol } from "../../src/memory/protocol.ts";
import { ManualClock, settled } from "../discovery/manual-clock.ts";

// What must hold of every deployer is in its kit; this is what the memory engine has of its own.

const SPEC: ServerSpec = { image: "server", port: 8000 };
const OURS = { installation: "ours" };

function open(options: MemoryEngineOptions = {}) {
  const clock = new ManualClock();
  const discovery = memoryDiscovery();
  const engine = memoryEngine({ clock, discovery, ...options });
  return { clock, discovery, engine, deployer: memoryDeployer({ engine }) };
}

function create(deployer: Deployer, model = "m", spec: ServerSpec = SPEC): Promise<DeployedServer> {
  return deployer.create(spec, { ...OURS, model, generation: `${model}-1`, kind: "auto" });
}

async function run(deployer: Deployer, model = "m", spec: ServerSpec = SPEC): Promise<DeployedServer> {
  const server = await create(deployer, model, spec);
  await deployer.start(server.id, OURS);
  return server;
}

async function listed(deployer: Deployer): Promise<DeployedServer | undefined> {
  return (await deployer.list("ours"))[0];
}

describe("the memory engine", () => {
  it("tells its discovery of a server: starting, ready, draining, gone", async () => {
    const behaviour = () => ({ readyAfterMs: 100, stopsAfterMs: 30, limit: 2 });
    const { clock, discovery, deployer } = open({ behaviour });
    const story: string[] = [];
    await discovery.watch((change: DiscoveryChange) => {
      if (change.kind === "upsert") story.push(`${clock.now()} ${change.server.state}`);
      if (change.kind === "upsert")
        expect(change.server).toMatchObject({ models: ["m"], limit: 2, url: "memory:m" });
      if (change.kind === "removed") story.push(`${clock.now()} gone`);
    });
    const { id } = await run(deployer);
    await clock.advance(200);
    const removing = deployer.remove(id, { ...OURS, graceMs: 1000 });
    await clock.advance(1000);
    await removing;
    expect(story).toEqual(["0 starting", "100 ready", "200 draining", "230 gone"]);
    expect(clock.pending).toBe(0);
  });

  it("kills after the grace what does not stop", async () => {
    const { clock, engine, deployer } = open({
      behaviour: () => ({ stopsAfterMs: Number.POSITIVE_INFINITY }),
    });
    const { id } = await run(deployer);
    const removing = deployer.remove(id, { ...OURS, graceMs: 5000 });
    await clock.advance(4999);
    expect(engine.servers).toHaveLength(1);
    await clock.advance(1);
    await removing;
    expect(engine.servers).toHaveLength(0);
  });

  it("ends what it asked to stop, also when it is stopped itself meanwhile, and does not keep it running", async () => {
    const { clock, engine, deployer } = open({ behaviour: () => ({ readyAfterMs: 50, stopsAfterMs: 100 }) });
    const { id } = await run(deployer, "m", { ...SPEC, restart: "unless-stopped" });
    const removing = deployer.remove(id, { ...OURS, graceMs: 1000 }).catch((error: unknown) => error);
    await clock.advance(10);
    engine.stopEngine();
    expect(await removing).toMatchObject({ code: "DEPLOYER_UNAVAILABLE" });
    await clock.advance(1000);
    engine.startEngine();
    expect(await listed(deployer)).toMatchObject({ state: "stopped", exit: { code: 0 } });
    expect(engine.events.map(({ kind }) => kind)).toEqual(["created", "started", "stopped"]);
    await deployer.remove(id, { ...OURS, graceMs: 1000 });
    expect(await listed(deployer)).toBeUndefined();
  });

  it("ends a server as its behaviour says, by its exit code or out of memory", async () => {
    const { clock, deployer } = open({
      behaviour: ({ env = {} }) =>
        env["MB"] === undefined ? { exit: { afterMs: 50, code: 7 } } : { memoryBytes: Number(env["MB"]) },
    });
    const crashing = await run(deployer);
    await clock.advance(49);
    expect((await listed(deployer))?.state).toBe("running");
    await clock.advance(1);
    expect(await listed(deployer)).toMatchObject({
      state: "stopped",
      exit: { code: 7, isOutOfMemory: false },
    });
    await deployer.remove(crashing.id, { ...OURS, graceMs: 0 });
    await run(deployer, "m", { ...SPEC, env: { MB: "2" }, limits: { memoryBytes: 1 } });
    await clock.advance(0);
    expect(await listed(deployer)).toMatchObject({
      state: "stopped",
      exit: { code: 137, isOutOfMemory: true },
    });
  });

  it("starts again what is to be kept running, later each time, and with another instance", async () => {
    const { clock, engine, deployer, discovery } = open({
      behaviour: (_spec, _identity, starts) => (starts < 4 ? { exit: { afterMs: 0, code: 1 } } : {}),
    });
    const instances: (string | undefined)[] = [];
    await discovery.watch((change) => {
      if (change.kind === "upsert" && change.server.state === "starting")
        instances.push(change.server.instance);
    });
    await run(deployer, "m", { ...SPEC, restart: "unless-stopped" });
    await clock.advance(10_000);
    const starts = engine.events.filter(({ kind }) => kind === "started").map(({ atMs }) => atMs);
    expect(starts).toEqual([0, 100, 300, 700]);
    expect(new Set(instances).size).toBe(4);
    expect((await listed(deployer))?.state).toBe("running");
  });

  it("has room for what its host holds, memory and cards", async () => {
    const { deployer } = open({ memoryBytes: 10, gpus: 1 });
    const sized = (memoryBytes: number): ServerSpec => ({ ...SPEC, limits: { memoryBytes } });
    await run(deployer, "a", sized(6));
    await expect(run(deployer, "b", sized(5))).rejects.toMatchObject({ code: "HOST_FULL" });
    await run(deployer, "c", { ...sized(5), reservations: { memoryBytes: 4 } });
    await run(deployer, "d", { ...SPEC, gpus: 1 });
    await expect(run(deployer, "e", { ...SPEC, gpus: "all" })).rejects.toMatchObject({ code: "HOST_FULL" });
    await expect(run(deployer, "f", { ...SPEC, gpus: 2 })).rejects.toMatchObject({ code: "START_FAILED" });
    await deployer.remove("server-1", { ...OURS, graceMs: 0 });
    await deployer.start("server-2", OURS);
  });

  it("pulls an image once for several deployers, in its time, and says what a registry refuses", async () => {
    const { clock, engine, deployer } = open({
      images: {
        server: { isHere: false, pullMs: 1000, sizeBytes: 10 },
        secret: { isHere: false, isRefused: true },
      },
    });
    const other = memoryDeployer({ engine });
    const identity = { ...OURS, model: "m", generation: "1", kind: "auto" } as const;
    const told: string[] = [];
    let prepared = 0;
    for (const each of [deployer, other]) {
      const onProgress = (now: { phase: string; doneBytes?: number | undefined }) =>
        told.push(`${clock.now()} ${now.phase} ${now.doneBytes ?? ""}`.trim());
      void each.prepare(SPEC, identity, { onProgress }).then(() => {
        prepared += 1;
      });
    }
    await clock.advance(999);
    expect(prepared).toBe(0);
    await clock.advance(1);
    expect(prepared).toBe(2);
    expect(engine.pulls("server")).toBe(1);
    expect(told.filter((line) => line === "500 pulling 5")).toHaveLength(2);
    expect(told.slice(-2)).toEqual(["1000 ready", "1000 ready"]);
    const refused = deployer.prepare({ ...SPEC, image: "secret" }, identity);
    await expect(refused).rejects.toMatchObject({ code: "REGISTRY_REFUSED" });
  });

  it("writes down every call with its time and outcome, and what really happened", async () => {
    const { clock, engine, deployer } = open({ delays: { createMs: 10 } });
    const all = Promise.allSettled([create(deployer), create(memoryDeployer({ engine }))]);
    await clock.advance(10);
    const outcomes = (await all).map(({ status }) => status).sort();
    expect(outcomes).toEqual(["fulfilled", "rejected"]);
    expect(engine.calls).toEqual([
      { method: "create", subject: "m", atMs: 0, endedAtMs: 10, outcome: "done" },
      { method: "create", subject: "m", atMs: 0, endedAtMs: 10, outcome: "NAME_TAKEN" },
    ]);
    expect(engine.events).toEqual([{ kind: "created", atMs: 10, id: "server-1", model: "m" }]);
  });

  it("does what it was asked for when the caller gives up or its reply is lost", async () => {
    const { clock, engine, deployer } = open({ delays: { createMs: 10 } });
    const controller = new AbortController();
    const creating = deployer.create(
      SPEC,
      { ...OURS, model: "a", generation: "1", kind: "auto" },
      { signal: controller.signal },
    );
    controller.abort(new Error("enough"));
    await expect(creating).rejects.toThrow("enough");
    engine.loseReply("create");
    const lost = create(deployer, "b").catch((error: unknown) => error);
    await clock.advance(10);
    expect(await lost).toMatchObject({ code: "DEPLOYER_UNAVAILABLE", retryable: true });
    expect((await deployer.list("ours")).map(({ model }) => model)).toEqual(["a", "b"]);
  });

  it("breaks off what it has not done when it is stopped, and its servers run on", async () => {
    const { clock, engine, deployer } = open({ delays: { createMs: 10 } });
    const before = create(deployer, "before");
    await clock.advance(10);
    await deployer.start((await before).id, OURS);
    const broken = create(deployer, "broken").catch((error: unknown) => error);
    await clock.advance(5);
    engine.stopEngine();
    expect(await broken).toMatchObject({ code: "DEPLOYER_UNAVAILABLE" });
    await expect(deployer.list("ours")).rejects.toMatchObject({ code: "DEPLOYER_UNAVAILABLE" });
    await clock.advance(100);
    let hints = 0;
    deployer.watch("ours", () => {
      hints += 1;
    });
    engine.startEngine();
    await settled();
    expect(hints).toBe(1);
    expect(await deployer.list("ours")).toMatchObject([{ model: "before", state: "running" }]);
  });

  it("holds calls while it hangs, for as long as a deployer waits", async () => {
    const { clock, engine, deployer } = open({ timeoutMs: 1000 });
    engine.stopEngine({ hangs: true });
    const late = deployer.list("ours").catch((error: unknown) => error);
    await clock.advance(1000);
    expect(await late).toMatchObject({ code: "DEPLOYER_UNAVAILABLE" });
    const held = deployer.list("ours");
    await clock.advance(999);
    engine.startEngine();
    expect(await held).toEqual([]);
    expect(clock.pending).toBe(0);
  });

  it("ends its servers with the host, and starts again those that are to be kept", async () => {
    const { clock, engine, deployer, discovery } = open();
    await run(deployer, "kept", { ...SPEC, restart: "unless-stopped" });
    await run(deployer, "left");
    engine.stopEngine({ endsServers: true });
    const known: string[] = [];
    await discovery.watch((change) => known.push(change.kind));
    await clock.advance(10_000);
    expect(known).toEqual(["snapshot"]);
    engine.startEngine();
    const states = (await deployer.list("ours")).map(({ model, state }) => `${model} ${state}`);
    expect(states).toEqual(["kept running", "left stopped"]);
  });

  it("shows lines as they are written, and leaves no timer behind", async () => {
    const { clock, engine, deployer } = open();
    const { id } = await run(deployer, "m", { ...SPEC, env: { KEY: "hidden" }, secretEnv: ["KEY"] });
    const seen: string[] = [];
    const following = (async () => {
      for await (const { text, stream } of deployer.logs(id, { ...OURS, follow: true })) {
        seen.push(`${stream} ${text}`);
      }
    })();
    engine.write(id, "the key is hidden");
    engine.write(id, "an error", "stderr");
    await settled();
    expect(seen).toEqual(["stdout the key is ***", "stderr an error"]);
    engine.kill(id);
    await following;
    await clock.advance(0);
    expect(clock.pending).toBe(0);
  });

  it("runs servers that a gateway gives work to", async () => {
    const discovery = memoryDiscovery();
    const deployer = memoryDeployer({ discovery });
    const gateway = createGateway({
      discovery,
      protocols: [
        memoryProtocol({ operations: { process: {} }, handle: async (call) => `${await call.text()}!` }),
      ],
    });
    await gateway.start();
    const { id } = await run(deployer);
    const task = await gateway.submit({ model: "m", operation: "process", payload: "done" });
    await gateway.wait(task.id, { timeoutMs: 5000 });
    const { bytes = new Uint8Array() } = await gateway.result(task.id);
    expect(Buffer.from(bytes).toString()).toBe("done!");
    await deployer.remove(id, { ...OURS, graceMs: 0 });
    await gateway.stop();
    await deployer.close();
  });
});
