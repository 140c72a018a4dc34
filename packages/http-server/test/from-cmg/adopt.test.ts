import { findOthersServers, type OthersServer } from "@modelgate/adapters-docker/deployer";
import { adoptServer } from "@modelgate/core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { requireService } from "../../../adapters-storage/test/support/services.ts";
import { ended, namesOf, stateOf, submitted, until } from "../docker/support/callers.ts";
import { Installation, type OpenGateway, send } from "../docker/support/installation.ts";
import { Watched } from "../docker/support/watched.ts";
import { call } from "../support/http-client.ts";

const socketPath = requireService("DOCKER_SOCKET") ?? "";
const image = requireService("DOCKER_TEST_IMAGE") ?? "";
const ROOM = { memoryBytes: 0, cpus: 0, gpus: 0 };

// Containers as CogStack's gateway makes them, on a real engine: an id and labels that nobody can change.
describe.skipIf(socketPath === "")("servers of CogStack's gateway that are taken over", () => {
  let installation: Installation;
  let gateway: OpenGateway;
  let engine: Watched;
  let url: string;
  let found: readonly OthersServer[];

  const labelsOf = (model: string, kind: string, ttl: string): Record<string, string> => ({
    "com.docker.compose.service": model,
    "org.cogstack.model-serve": model,
    "org.cogstack.model-serve.uri": "mlflow-artifacts:/1/a/artifacts/model",
    "org.cogstack.model-gateway.ttl": ttl,
    "org.cogstack.model-gateway.managed-by": "cmg",
    "org.cogstack.model-gateway.deployment-type": kind,
  });
  const run = (model: string, labels: Record<string, string>): Promise<string> =>
    installation.api.run(model, {
      Image: image,
      Labels: { "com.docker.compose.project": installation.id, ...labels },
      HostConfig: { NetworkMode: installation.network },
    });

  /** As the command does it. */
  async function adopt(name: string, parts: { ttlMs?: number; idleTtlMs?: number }): Promise<string> {
    const { id, serverId, name: container, kind, modelUri, createdAtMs, model } = serverOf(name);
    const server = { id, serverId, name: container };
    const wish = { model, kind, modelUri, createdAtMs, server, room: ROOM, ...parts };
    return await adoptServer(installation.records, wish);
  }
  const serverOf = (name: string): OthersServer =>
    found.find(({ model }) => model === installation.model(name)) as OthersServer;
  const isThere = async (name: string): Promise<boolean> =>
    (await engine.names()).includes(installation.model(name));
  const gone = (name: string): Promise<boolean> =>
    until(
      () => isThere(name),
      (is) => !is,
      10_000,
    );

  beforeAll(async () => {
    installation = await Installation.open({ socketPath, image, deployments: { drainMs: 500 } });
    const model = (name: string) => installation.model(name);
    await Promise.all([
      run(model("removed"), labelsOf(model("removed"), "manual", "-1")),
      run(model("expired"), labelsOf(model("expired"), "manual", "1")),
      run(model("idle"), labelsOf(model("idle"), "auto", "1")),
      run(model("left"), labelsOf(model("left"), "manual", "1")),
      run(model("compose"), {
        "org.cogstack.model-serve": "medcat",
        "com.docker.compose.service": model("compose"),
      }),
    ]);
    gateway = await installation.gateway();
    url = gateway.url;
    engine = new Watched(installation);
    await until(
      async () => namesOf(await call(url, "/models/"), "running"),
      (names) => names.length === 5,
    );
    found = await findOthersServers({ socketPath }, { managedBy: "cmg", project: installation.id });
  }, 40_000);
  afterAll(() => installation?.close(), 30_000);

  it("finds those that it deployed, and nothing that somebody else runs", () => {
    const names = ["expired", "idle", "left", "removed"].map((name) => installation.model(name));
    expect(found.map(({ model }) => model)).toEqual(names);
    expect(serverOf("removed")).toMatchObject({ kind: "manual", ttlSeconds: -1, isRunning: true });
    expect(serverOf("idle")).toMatchObject({ kind: "auto", ttlSeconds: 1 });
  });

  it("removes none of them before they are taken over, and refuses to", async () => {
    const model = installation.model("removed");
    const { status, json } = await send(url, "DELETE", `/models/${model}`);
    expect([status, json.code]).toEqual([403, "NOT_OURS"]);
    expect(await isThere("removed")).toBe(true);
  });

  it("goes on with one that was taken over, once, and removes it when it is told to", async () => {
    const model = installation.model("removed");
    expect(await adopt("removed", {})).toBe("adopted");
    expect(await adopt("removed", {})).toBe("known");
    await until(
      () => stateOf(url, model),
      (state) => state === "ready",
    );
    const before = serverOf("removed").id;
    expect((await ended(url, await submitted(url, model))).status).toBe("succeeded");
    const { json } = await call(url, `/models/${model}/deployment`);
    expect(json).toMatchObject({ container_id: before, ttl: -1, deployment_type: "manual" });
    expect((await send(url, "DELETE", `/models/${model}`)).status).toBe(204);
    expect(await isThere("removed")).toBe(false);
    expect(await stateOf(url, model)).toBe(404);
  }, 20_000);

  it("counts the time of a manual one from when it was made, and idle time from its use", async () => {
    expect(await adopt("expired", { ttlMs: 1_000 })).toBe("adopted");
    expect(await adopt("idle", { idleTtlMs: 1_000 })).toBe("adopted");
    await Promise.all([gone("expired"), gone("idle")]);
    // Neither those that were not taken over nor those of a compose project.
    expect([await isThere("left"), await isThere("compose")]).toEqual([true, true]);
  }, 30_000);

  it("never touches a container of somebody else, whatever the book says of it", async () => {
    const model = installation.model("compose");
    const before = await engine.state(model);
    const { id } = before;
    const server = { id, serverId: `docker:${id}`, name: model };
    const wish = { model, kind: "manual", createdAtMs: 0, ttlMs: 1, server, room: ROOM } as const;
    expect(await adoptServer(installation.records, wish)).toBe("adopted");
    // Its time is over: a server that had been taken over would go.
    await until(
      () => stateOf(url, model),
      (state) => state !== "ready",
      15_000,
    );
    expect(await engine.state(model)).toEqual(before);
  }, 30_000);
});
