import { once } from "node:events";
import { createServer, request } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, describe, expect, it, onTestFinished } from "vitest";
import { requireService } from "../../../adapters-storage/test/support/services.ts";
import { endFailure } from "../../src/deployer/index.ts";
import { NODE, pushedImage, SERVER, serverSpec } from "./fixture.ts";
import { unique } from "./support/api.ts";
import { Bench, errorOf, MIB, removeNetworks } from "./support/bench.ts";
import { engine } from "./support/engine.ts";

const socket = requireService("DOCKER_SOCKET");

/** The real registry, which has lost what its images are made of: a pull begins well and then fails. */
async function registryWithoutBlobs(): Promise<string> {
  const { registry } = engine;
  const server = createServer((incoming, response) => {
    if (incoming.url?.includes("/blobs/")) {
      const errors = [{ code: "BLOB_UNKNOWN", message: "blob unknown to registry" }];
      response.writeHead(404, { "content-type": "application/json" }).end(JSON.stringify({ errors }));
      return;
    }
    const { method, url, headers } = incoming;
    const [host, port] = registry.host.split(":");
    const sent = request({ host, port, method, path: url, headers, agent: false }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    });
    incoming.pipe(sent);
  });
  const address = process.env["DOCKER_HOST_ADDRESS"] ?? "";
  server.listen(0, address);
  await once(server, "listening");
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return `${address}:${(server.address() as AddressInfo).port}`;
}

describe.skipIf(socket === undefined)("why a server is not there", () => {
  afterAll(removeNetworks);

  it("it took more memory than it may", async () => {
    const bench = new Bench();
    const limits = { memoryBytes: 64 * MIB };
    const server = await bench.run(serverSpec({ command: [...SERVER, "--allocate-mb", "400"], limits }));
    const { exit } = await bench.end(server);
    expect(exit).toMatchObject({ code: 137, isOutOfMemory: true });
    const failure = endFailure({ exitCode: exit?.code ?? 0, isOutOfMemory: exit?.isOutOfMemory ?? false });
    expect(failure.code).toBe("OUT_OF_MEMORY");
  });

  it("it ended by itself, at once", async () => {
    const bench = new Bench();
    const server = await bench.run(serverSpec({ command: [NODE, "-e", "process.exit(7)"] }));
    expect((await bench.end(server)).exit).toMatchObject({ code: 7, isOutOfMemory: false });
  });

  it("its program is not in the image", async () => {
    const bench = new Bench();
    for (const command of [["/no/such/program"], ["no-such-program", "--x"]]) {
      const server = await bench.make(serverSpec({ command }));
      const error = await errorOf(bench.deployer.start(server.id, bench));
      expect(error.code).toBe("START_FAILED");
      expect(error.message).toBe("program not found in the image; check command");
      await bench.remove(server);
    }
  });

  it("its program may not be run", async () => {
    const bench = new Bench();
    const server = await bench.make(serverSpec({ command: ["/app/test-server.mjs"] }));
    const error = await errorOf(bench.deployer.start(server.id, bench));
    expect(error.code).toBe("START_FAILED");
    expect(error.message).toMatch(/may not be run/);
  });

  it("there is no such user, card or network", async () => {
    const bench = new Bench();
    const network = await bench.network();
    const cases = [
      [serverSpec({ user: "nobodyx" }), /no such user/],
      [serverSpec({ gpus: 1 }), /no driver for these graphics cards/],
      [serverSpec({ network }), /network does not exist/],
    ] as const;
    for (const [spec, message] of cases) {
      const server = await bench.make(spec);
      if (spec.network !== undefined) await bench.api.need("DELETE", `/networks/${network}`);
      const error = await errorOf(bench.deployer.start(server.id, bench));
      expect(error.code).toBe("START_FAILED");
      expect(error.message).toMatch(message);
      await bench.remove(server);
    }
  });

  it("its network was never there, or more is asked for than the host has", async () => {
    const bench = new Bench();
    const cases = [
      ["network", serverSpec({ network: "no-such-network" })],
      ["limits.cpus", serverSpec({ limits: { cpus: 4000 } })],
      ["dropCapabilities", serverSpec({ dropCapabilities: ["NO_SUCH_ONE"] })],
    ] as const;
    for (const [field, spec] of cases) {
      const error = await errorOf(bench.make(spec));
      expect([error.code, error.details["field"]]).toEqual(["INVALID_REQUEST", field]);
    }
    const error = await errorOf(
      bench.deployer.prepare(serverSpec({ network: "no-such-network" }), bench.identity()),
    );
    expect(error.message).toBe(
      'network "no-such-network" does not exist on the engine; make it, or name another one',
    );
    expect(await bench.list()).toEqual([]);
  });

  it("its image is nowhere, and an engine that may not pull says so at once", async () => {
    const { registry } = engine;
    const bench = new Bench({ registries: { [registry.host]: registry } });
    const spec = serverSpec({ image: `${registry.host}/modelgate/no-such-image:1` });
    expect((await errorOf(bench.deployer.prepare(spec, bench.identity()))).code).toBe("IMAGE_MISSING");
    const never = await errorOf(bench.deployer.prepare({ ...spec, pull: "never" }, bench.identity()));
    expect(never.message).toMatch(/pull is "never"/);
    const wrong = serverSpec({ image: `${engine.image}-wrong`, pull: "never" });
    expect((await errorOf(bench.make(wrong))).code).toBe("IMAGE_MISSING");
  });

  it("its pull fails after it has begun, which the engine says in the middle of its answer", async () => {
    const { registry } = engine;
    const host = await registryWithoutBlobs();
    const bench = new Bench({ registries: { [host]: registry } });
    const image = (await pushedImage(bench.api)).replace(registry.host, host);
    const error = await errorOf(bench.deployer.prepare(serverSpec({ image }), bench.identity()));
    expect([error.code, error.message]).toEqual(["IMAGE_MISSING", "the registry has no such image"]);
  });

  it("the registry wants credentials, refuses them, or is away; with the right ones the image comes", async () => {
    const { registry } = engine;
    const image = await pushedImage(new Bench().api);
    const prepare = async (registries: Record<string, { username: string; password: string }>) => {
      const bench = new Bench({ registries });
      await bench.deployer.prepare(serverSpec({ image }), bench.identity());
      return bench;
    };
    const without = await errorOf(prepare({}));
    expect(without.code).toBe("REGISTRY_REFUSED");
    expect(without.message).toMatch(/wants credentials/);
    const wrong = await errorOf(
      prepare({ [registry.host]: { username: registry.username, password: "s3cr3t" } }),
    );
    expect(wrong.code).toBe("REGISTRY_REFUSED");
    expect(wrong.message).toBe("the registry refused the credentials");
    expect(wrong.message).not.toContain("s3cr3t");

    const bench = await prepare({ [registry.host]: registry });
    onTestFinished(async () => void (await bench.api.call("DELETE", `/images/${image}?force=1`)));
    const server = await bench.make(serverSpec({ image }));
    expect(server.imageDigest).toMatch(/^sha256:[0-9a-f]{64}$/);
    expect(await bench.list()).toEqual([server]);
    const byDigest = `${image.replace(/:1$/, "")}@${server.imageDigest}`;
    await bench.deployer.prepare(
      serverSpec({ image: byDigest, pull: "always" }),
      bench.identity(unique("m")),
    );

    const away = new Bench();
    const address = `${registry.host.split(":")[0]}:1`;
    const spec = serverSpec({ image: `${address}/x:1` });
    const unreachable = await errorOf(away.deployer.prepare(spec, away.identity()));
    expect(unreachable.code).toBe("REGISTRY_REFUSED");
    expect(unreachable.message).toMatch(/no connection to the registry/);
  });
});
