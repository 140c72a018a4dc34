import { afterEach, describe, expect, it, vi } from "vitest";
import { requireService } from "../../../adapters-storage/test/support/services.ts";
import { serverIdOf } from "../../src/discovery/index.ts";
import { unique } from "../support/test-engine.ts";
import { statesOf, World } from "../support/world.ts";

const socketPath = requireService("DOCKER_SOCKET") ?? "";
const image = requireService("DOCKER_TEST_IMAGE") ?? "";
const publishedHost = requireService("DOCKER_PUBLISHED_ADDRESS") ?? "";
const worlds: World[] = [];

function newWorld(): World {
  const world = new World(socketPath, image);
  worlds.push(world);
  return world;
}

afterEach(async () => {
  await Promise.all(worlds.splice(0).map((world) => world.close()));
});

describe.skipIf(socketPath === "")("containers on a real engine", () => {
  it("are servers under their compose service's name, with what is known of them", async () => {
    const world = newWorld();
    const { engine } = world;
    const id = await engine.run({
      name: unique("cms-medcat-2"),
      labels: {
        "com.docker.compose.service": "medcat-umls",
        "org.cogstack.model-serve.uri": "https://name:password@mlflow/runs",
        "modelgate.slots": "3",
        "modelgate.weight": "0.5",
      },
      host: { Memory: 256 * 1024 * 1024, NanoCpus: 500_000_000 },
    });
    const watcher = await world.watch();
    await watcher.sees(serverIdOf(id), "ready");
    const server = watcher.server(serverIdOf(id));
    expect(server).toMatchObject({
      ...{ models: ["medcat-umls"], protocol: "cms", limit: 3, weight: 0.5 },
      room: { memoryBytes: 256 * 1024 * 1024, cpus: 0.5 },
      details: { type: "medcat_snomed", project: engine.project, image, uri: "https://mlflow/runs" },
    });
    expect(server.url).toMatch(/^http:\/\/10\.\S+:8000$/);
    expect(server.details?.["addresses"]).toBe(new URL(server.url).hostname);
    expect(world.warnings).toEqual([]);
  });

  it("have the container's own name where there is no service, and another one when it is renamed", async () => {
    const world = newWorld();
    const [name, newName] = [unique("one"), unique("two")];
    const id = await world.engine.run({ name });
    const watcher = await world.watch();
    await watcher.sees(serverIdOf(id), "ready");
    expect(watcher.server(serverIdOf(id)).models).toEqual([name]);
    await world.engine.act(id, `rename?name=${newName}`);
    await vi.waitFor(() => expect(watcher.server(serverIdOf(id)).models).toEqual([newName]));
    expect(statesOf(watcher, serverIdOf(id)).at(-1)).toBe("ready");
  });

  it("may serve several models, named by a label", async () => {
    const world = newWorld();
    const id = await world.engine.run({ labels: { "modelgate.models": " a, b,,a " } });
    const watcher = await world.watch();
    await watcher.sees(serverIdOf(id), "ready");
    expect(watcher.server(serverIdOf(id)).models).toEqual(["a", "b"]);
  });

  it("are told with a warning, and found all the same, when a label cannot be understood", async () => {
    const world = newWorld();
    const labels = { "modelgate.slots": "abc", "modelgate.weight": "-1", "modelgate.port": "http" };
    const id = await world.engine.run({ labels: { ...labels, "modelgate.address": "somewhere" } });
    const watcher = await world.watch();
    await watcher.sees(serverIdOf(id), "ready");
    const { limit, weight, details } = watcher.server(serverIdOf(id));
    expect([limit, weight]).toEqual([undefined, undefined]);
    expect(details?.["warning"]).toContain("label modelgate.slots is not a whole number above 0");
    expect(world.warnings.map(({ label }) => label).sort()).toEqual(
      [...Object.keys(labels), "modelgate.address"].sort(),
    );
    const name = unique("again");
    await world.engine.act(id, `rename?name=${name}`);
    await vi.waitFor(() => expect(watcher.server(serverIdOf(id)).models).toEqual([name]));
    expect(world.warnings, "warnings that were told again").toHaveLength(4);
  });

  it("without a port are told with a warning, and are no servers", async () => {
    const world = newWorld();
    const config = { ExposedPorts: {} };
    await world.engine.run({ config, host: { NetworkMode: "none", PublishAllPorts: false } });
    const other = await world.engine.run();
    const watcher = await world.watch();
    await watcher.sees(serverIdOf(other), "ready");
    expect([...watcher.known.keys()]).toEqual([serverIdOf(other)]);
    expect(world.warnings.map(({ problem }) => problem)).toEqual([
      "it has no address in any network; attach it",
    ]);
  });

  it("of other projects, without the label, or not started are no servers", async () => {
    const world = newWorld();
    const { engine } = world;
    await engine.run({ labels: { "com.docker.compose.project": unique("other") } });
    await engine.run({ config: { Labels: { "com.docker.compose.project": engine.project } } });
    const created = await engine.create();
    const watcher = await world.watch();
    await engine.run({ labels: { "com.docker.compose.project": unique("other") } });
    const id = await engine.run();
    await watcher.sees(serverIdOf(id), "ready");
    expect([...watcher.known.keys()]).toEqual([serverIdOf(id)]);
    await engine.act(created, "start");
    await watcher.sees(serverIdOf(created), "ready");
  });

  it("are found by other labels, or by the project alone, when that is asked for", async () => {
    const world = newWorld();
    const { engine } = world;
    const id = await engine.run({
      config: { Labels: { "com.docker.compose.project": engine.project, "my/model": "x" } },
    });
    const byLabel = await world.watch({ labels: { modelServe: "my/model" } });
    const byProject = await world.watch({ onlyLabelled: false });
    await byLabel.sees(serverIdOf(id), "ready");
    await byProject.sees(serverIdOf(id), "ready");
    expect(byLabel.server(serverIdOf(id)).details?.["type"]).toBe("x");
  });

  it("are reached by the port of the host that was published for the lowest of their ports", async () => {
    const world = newWorld();
    const config = { ExposedPorts: { "9000/tcp": {}, "8000/tcp": {}, "53/udp": {} } };
    const id = await world.engine.run({ config });
    const asked = await world.engine.run({
      config,
      env: ["PORT=9000"],
      labels: { "modelgate.port": "9000" },
    });
    const watcher = await world.watch({ address: "published", publishedHost });
    for (const [each, inside] of [
      [id, 8000],
      [asked, 9000],
    ] as const) {
      await watcher.sees(serverIdOf(each), "ready");
      const { Ports } = (await world.engine.inspect(each)).NetworkSettings;
      const expected = `http://${publishedHost}:${Ports[`${inside}/tcp`]?.[0]?.HostPort}`;
      expect(watcher.server(serverIdOf(each)).url).toBe(expected);
    }
  });

  it("are reached in the network that an option or their label names", async () => {
    const world = newWorld();
    const { engine } = world;
    const [one, two] = [await engine.createNetwork(), await engine.createNetwork()];
    const host = { NetworkMode: one };
    const id = await engine.run({ host });
    const labelled = await engine.run({ host, labels: { "modelgate.network": two } });
    const join = { method: "POST", path: `/networks/${two}/connect`, body: { Container: labelled } } as const;
    await engine.connection.call(join);
    const watcher = await world.watch({ network: one });
    await watcher.sees(serverIdOf(id), "ready");
    for (const [container, network] of [
      [id, one],
      [labelled, two],
    ] as const) {
      const { Networks } = (await engine.inspect(container)).NetworkSettings;
      expect(watcher.server(serverIdOf(container)).url).toBe(`http://${Networks[network]?.IPAddress}:8000`);
    }
    const before = watcher.server(serverIdOf(id)).url;
    await engine.connection.call({
      method: "POST",
      path: `/networks/${one}/disconnect`,
      body: { Container: id, Force: true },
    });
    await watcher.misses(serverIdOf(id));
    const taken = await engine.run({ host });
    await watcher.sees(serverIdOf(taken), "ready");
    expect(watcher.server(serverIdOf(taken)).url, "the address was given to another one").toBe(before);
    await engine.connection.call({
      method: "POST",
      path: `/networks/${one}/connect`,
      body: { Container: id },
    });
    await watcher.sees(serverIdOf(id), "ready");
    expect(watcher.server(serverIdOf(id)).url).not.toBe(before);
  });
});
