import { afterAll, describe, expect, it } from "vitest";
import { requireService } from "../../../adapters-storage/test/support/services.ts";
import { serverSpec } from "./fixture.ts";
import { unique } from "./support/api.ts";
import { Bench, errorOf, removeNetworks } from "./support/bench.ts";
import { engine } from "./support/engine.ts";

const socket = requireService("DOCKER_SOCKET");

describe.skipIf(socket === undefined)("a model's name", () => {
  afterAll(removeNetworks);

  async function outcomes(bench: Bench, network: string, model: string): Promise<string[]> {
    const identity = bench.identity(model);
    const spec = serverSpec({ network });
    const calls = [() => bench.deployer.prepare(spec, identity), () => bench.deployer.create(spec, identity)];
    const codes: string[] = [];
    for (const call of calls)
      codes.push(
        await call().then(
          () => "",
          (error) => error.code,
        ),
      );
    return codes;
  }

  it("is taken by a stranger's container of that name, also by one that does not run and is on no network of ours", async () => {
    const bench = new Bench();
    const network = await bench.network();
    const model = unique("taken");
    const id = await bench.stranger(model);
    await bench.api.need("POST", `/containers/${id}/kill`);
    expect(await outcomes(bench, network, model)).toEqual(["NAME_TAKEN", "NAME_TAKEN"]);
  });

  it("is taken by an alias and by a compose service that run on the same network, and by neither elsewhere", async () => {
    const bench = new Bench();
    const [network, elsewhere] = [await bench.network(), await bench.network()];
    const [alias, service] = [unique("alias"), unique("service")];
    await bench.stranger(unique("stranger"), {
      HostConfig: { NetworkMode: network },
      NetworkingConfig: { EndpointsConfig: { [network]: { Aliases: [alias] } } },
    });
    const labels = { "com.docker.compose.project": "p", "com.docker.compose.service": service };
    const serving = await bench.stranger(unique("stranger"), {
      Labels: labels,
      HostConfig: { NetworkMode: network },
    });
    for (const name of [alias, service]) {
      expect(await outcomes(bench, network, name)).toEqual(["NAME_TAKEN", "NAME_TAKEN"]);
      expect(await outcomes(bench, elsewhere, name)).toEqual(["", ""]);
    }
    for (const server of await bench.list()) await bench.remove(server);
    await bench.api.need("POST", `/containers/${serving}/stop?t=0`);
    expect(await outcomes(bench, network, service)).toEqual(["", ""]);
  });

  it("with a prefix is no name of a container, but an alias in the network still", async () => {
    const bench = new Bench({ namePrefix: "mg-" });
    const network = await bench.network();
    const model = unique("prefixed");
    const { name, id } = await bench.make(serverSpec({ network }), model);
    expect(name).toBe(`mg-${model}`);
    expect((await bench.api.inspect(id)).NetworkSettings.Networks[network]?.Aliases).toContain(model);
    const stranger = unique("free");
    await bench.stranger(stranger);
    expect(await outcomes(bench, network, stranger)).toEqual(["", ""]);
  });

  it("leads to the server from its network", async () => {
    const bench = new Bench();
    const network = await bench.network();
    const model = `${unique("called")}.a_b-C`;
    await bench.run(serverSpec({ network }), model);
    const script = `
      const ask = async (left) => {
        try { process.stdout.write(await (await fetch("http://${model}:8000/healthz")).text()); }
        catch (error) { if (left > 0) setTimeout(() => ask(left - 1), 50); else throw error; }
      };
      ask(100);`;
    const caller = await bench.stranger(unique("caller"), {
      Entrypoint: ["/usr/bin/node", "-e", script],
      HostConfig: { NetworkMode: network },
    });
    expect(await bench.api.need("POST", `/containers/${caller}/wait`)).toMatchObject({ StatusCode: 0 });
    const said = await bench.api.need<string>("GET", `/containers/${caller}/logs?stdout=1`);
    expect(said).toContain("OK");
  });

  it("of 255 characters is one that the engine takes; one character is refused", async () => {
    const bench = new Bench();
    const network = await bench.network();
    const long = unique("long").padEnd(255, "x");
    const { name } = await bench.run(serverSpec({ network }), long);
    expect(name).toBe(long);
    const error = await errorOf(bench.make(serverSpec({ network }), "x"));
    expect([error.code, error.details["field"]]).toEqual(["INVALID_REQUEST", "model"]);
  });

  it("is no way to name what is removed, started or read: an id is", async () => {
    const bench = new Bench();
    const server = await bench.run(serverSpec());
    for (const id of [server.name, server.id.slice(0, 12), `../${server.id}`, `${server.id}?force=1`, ""]) {
      await bench.deployer.remove(id, { installation: bench.installation, graceMs: 0 });
      expect((await errorOf(bench.deployer.start(id, bench))).code).toBe("DEPLOYMENT_UNKNOWN");
    }
    expect((await bench.list()).map(({ state }) => state)).toEqual(["running"]);
  });

  it("may be the same in two installations on one engine, which see and stop only their own", async () => {
    const benches = [new Bench({ namePrefix: "one-" }), new Bench({ namePrefix: "two-" })] as const;
    const model = unique("shared");
    const networks = [await benches[0].network(), await benches[1].network()];
    const servers = [];
    for (const [at, bench] of benches.entries()) {
      servers.push(await bench.run(serverSpec({ network: networks[at] }), model));
    }
    expect((await benches[0].list()).map(({ id }) => id)).toEqual([servers[0]?.id]);
    const error = await errorOf(benches[0].remove(servers[1] as never));
    expect(error.code).toBe("NOT_OURS");
    const stranger = await benches[0].stranger(unique("stranger"));
    const before = JSON.stringify(await benches[0].api.inspect(stranger));
    for (const id of [servers[1]?.id ?? "", stranger]) {
      const options = { installation: benches[0].installation, graceMs: 0 };
      expect((await errorOf(benches[0].deployer.remove(id, options))).code).toBe("NOT_OURS");
      expect((await errorOf(benches[0].deployer.start(id, options))).code).toBe("NOT_OURS");
    }
    await benches[0].remove(servers[0] as never);
    expect((await benches[1].list()).map(({ state }) => state)).toEqual(["running"]);
    expect(JSON.stringify(await benches[0].api.inspect(stranger))).toBe(before);
  });

  it("is free again when its server is removed in whatever state: paused, or restarting", async () => {
    const bench = new Bench();
    const paused = await bench.run(serverSpec());
    await bench.api.need("POST", `/containers/${paused.id}/pause`);
    const startedAt = performance.now();
    await bench.remove(paused, 5000);
    expect(performance.now() - startedAt).toBeLessThan(4000);
    const command = ["/usr/bin/node", "-e", "process.exit(1)"];
    const restarting = await bench.run(serverSpec({ command, restart: "unless-stopped" }));
    await bench.remove(restarting, 1000);
    expect(await bench.list()).toEqual([]);
    expect(await bench.list()).toEqual([]);
  });

  it("is free again with the volumes that have no name, and those that have one are kept", async () => {
    const bench = new Bench();
    const image = `${unique("with-volume")}:1`;
    const { Id } = await bench.api.need<{ Id: string }>("POST", "/containers/create", {
      Image: engine.image,
    });
    const change = encodeURIComponent("VOLUME /scratch");
    await bench.api.need(
      "POST",
      `/commit?container=${Id}&repo=${image.split(":")[0]}&tag=1&changes=${change}`,
    );
    await bench.api.removeContainer(Id);
    const kept = { source: unique("kept"), target: "/kept" };
    const server = await bench.run(serverSpec({ image, volumes: [kept] }));
    const mounted = (await bench.api.inspect(server.id)).Mounts.map(({ Name }) => Name);
    expect(mounted).toHaveLength(2);
    await bench.remove(server);
    const left = await bench.api.need<{ Volumes: { Name: string }[] }>("GET", "/volumes");
    const names = left.Volumes.map(({ Name }) => Name);
    expect(mounted.filter((name) => names.includes(String(name)))).toEqual([kept.source]);
    await bench.api.need("DELETE", `/volumes/${kept.source}`);
    await bench.api.need("DELETE", `/images/${image}`);
  });
});
