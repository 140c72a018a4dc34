import { existsSync, readFileSync } from "node:fs";
import { createServer } from "node:http";
import { request } from "node:https";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { callEngine, registryAuth } from "../../scripts/images/engine.mjs";
import { buildNlpServer } from "../../scripts/images/nlp-server-image.mjs";
import { startDocker } from "../../scripts/services/docker.mjs";
import { inspect, isDockerMissing, isThere, post, reach, runTestServer } from "./containers.ts";
import { root } from "./launched.ts";

type Docker = Awaited<ReturnType<typeof startDocker>>;

const isBuilt = existsSync(join(root, "examples/nlp-server/dist/main.js"));

/** Asks over TLS, with the files of `certificates` as the client's. */
function ping(docker: Docker, certificates: { cert?: Buffer; key?: Buffer }): Promise<number | undefined> {
  const { hostname, port } = new URL(docker.env["DOCKER_TLS_HOST"] ?? "");
  const ca = readFileSync(join(docker.env["DOCKER_TLS_CERTS"] ?? "", "ca.pem"));
  return new Promise((settle, fail) => {
    request({ hostname, port, path: "/_ping", ca, ...certificates }, (answer) => {
      answer.resume();
      settle(answer.statusCode);
    })
      .on("error", fail)
      .end();
  });
}

describe.skipIf(isDockerMissing())("a Docker Engine that a script started", () => {
  let docker: Docker;
  beforeAll(async () => {
    docker = await startDocker();
  });
  afterAll(() => docker.close());

  it("runs a container that is reached by its address and by its published port", async () => {
    const { address, port } = await runTestServer(docker, ["MODEL=seven"]);
    const byAddress = await reach(`http://${address}:8000/info`);
    expect(JSON.parse(byAddress)).toMatchObject({ model_description: "seven" });
    expect(await reach(`http://${docker.env["DOCKER_PUBLISHED_ADDRESS"]}:${port}/info`)).toBe(byAddress);
  });

  it("routes the networks that a user made, and ports that are not published", async () => {
    await post(docker, "/networks/create", { Name: "models" });
    const { address } = await runTestServer(docker, [], { NetworkMode: "models", PortBindings: {} });
    expect(address).toMatch(new RegExp(`^10\\.${docker.range.number}\\.`));
    expect(await reach(`http://${address}:8000/healthz`)).toBe("OK");
  });

  it("lets a container call this host", async () => {
    let call: () => void = () => {};
    const called = new Promise<void>((settle) => {
      call = settle;
    });
    const server = createServer((_request, response) => {
      call();
      response.end();
    });
    await new Promise<void>((settle) => server.listen(0, docker.env["DOCKER_HOST_ADDRESS"], settle));
    const { port } = server.address() as AddressInfo;
    const { Id } = (await post(docker, "/containers/create", {
      Image: docker.env["DOCKER_TEST_IMAGE"],
      Entrypoint: ["/usr/bin/node", "-e", `fetch("http://${docker.env["DOCKER_HOST_ADDRESS"]}:${port}/")`],
    })) as { Id: string };
    await post(docker, `/containers/${Id}/start`);
    await called;
    server.close();
  });

  it("kills a container that wants more memory than it was given", async () => {
    const limits = { Memory: 64 * 1024 * 1024, MemorySwap: 64 * 1024 * 1024 };
    const { id } = await runTestServer(docker, ["ALLOCATE_MB=500"], limits);
    expect(await post(docker, `/containers/${id}/wait`)).toMatchObject({ StatusCode: 137 });
    expect((await inspect(docker, id)).State).toMatchObject({ OOMKilled: true, ExitCode: 137 });
  });

  it.skipIf(!isBuilt)("runs the example server, with all that its models need", async () => {
    const image = await buildNlpServer(docker.socket);
    const { address } = await runTestServer(docker, [], { PortBindings: {} }, image);
    await reach(`http://${address}:8000/readyz`);
    const answer = await fetch(`http://${address}:8000/v1/embeddings`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ input: "a note", model: "nlp" }),
    });
    expect((await answer.json()).data[0].embedding).toHaveLength(512);
  });

  it("takes TLS clients with a certificate of its authority, and no others", async () => {
    const read = (file: string): Buffer => readFileSync(join(docker.env["DOCKER_TLS_CERTS"] ?? "", file));
    expect(await ping(docker, { cert: read("cert.pem"), key: read("key.pem") })).toBe(200);
    await expect(ping(docker, {})).rejects.toThrow(/certificate required|bad certificate|hang up/);
  });

  it("has a registry beside it that refuses whoever has no password", async () => {
    const { DOCKER_REGISTRY: host = "", DOCKER_REGISTRY_IMAGE: image = "" } = docker.env;
    const pull = `/images/create?fromImage=${encodeURIComponent(image)}`;
    const options = { method: "POST", withinMs: 60_000 };
    await expect(callEngine(docker.socket, pull, options)).rejects.toThrow("no basic auth credentials");
    const login = { username: docker.env["DOCKER_REGISTRY_USER"], serveraddress: host };
    const withPassword = (password = ""): Promise<unknown> => {
      const headers = { "x-registry-auth": registryAuth({ ...login, password }) };
      return callEngine(docker.socket, pull, { ...options, headers });
    };
    await expect(withPassword("wrong")).rejects.toThrow(/unauthorized|authorization failed/);
    await withPassword(docker.env["DOCKER_REGISTRY_PASSWORD"]);
    expect((await callEngine(docker.socket, `/images/${image}/json`)).status).toBe(200);
  });

  it("knows nothing of another one, and ends without touching it", async () => {
    const { id, address } = await runTestServer(docker);
    await reach(`http://${address}:8000/healthz`);
    const other = await startDocker({ registry: false });
    try {
      expect(other.range.number).not.toBe(docker.range.number);
      const own = await runTestServer(other);
      expect(await reach(`http://${own.address}:8000/healthz`)).toBe("OK");
      await expect(inspect(other, id)).rejects.toThrow("No such container");
    } finally {
      await other.close();
    }
    expect(await isThere(`http://${address}:8000/healthz`)).toBe(true);
  });
});
