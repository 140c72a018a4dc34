import { dockerDeployer } from "@modelgate/adapters-docker/deployer";
import type { DeploymentIdentity } from "@modelgate/core";
import { afterAll, afterEach, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { requireService } from "../../../adapters-storage/test/support/services.ts";
import { call } from "../support/http-client.ts";
import { ended, namesOf, ready, stateOf, submitted, until } from "./support/callers.ts";
import { Installation, send } from "./support/installation.ts";
import { templateOf } from "./support/template.ts";
import { Watched } from "./support/watched.ts";

const socketPath = requireService("DOCKER_SOCKET") ?? "";
const image = requireService("DOCKER_TEST_IMAGE") ?? "";

// What is found when containers and records do not fit, whoever took or left them. All gateways have ended before each.
describe.skipIf(socketPath === "")("recovery on a Docker Engine", () => {
  let installation: Installation;
  let engine: Watched;
  let name: string;

  beforeAll(async () => {
    name = `installation-${Date.now().toString(36)}`;
    installation = await Installation.open({
      ...{ socketPath, image },
      deployments: { installation: name, maxConcurrent: 8 },
    });
    engine = new Watched(installation);
  }, 30_000);
  afterEach(() => installation.closeGateways(), 30_000);
  afterAll(() => installation?.close(), 30_000);

  const open = async (): Promise<string> => (await installation.gateway()).url;

  async function onDemand(url: string, model: string, uri = "test:/"): Promise<void> {
    const wish = { model_name: model, model_uri: uri, idle_ttl: 600 };
    expect((await send(url, "POST", "/admin/on-demand", wish)).status).toBe(201);
  }

  /** Makes a container of this installation that no record tells of, as a gateway leaves it that is killed. */
  async function leftBehind(
    model: string,
    parts: Partial<DeploymentIdentity> & { readonly state?: "created" | "running" | "stopped" } = {},
  ): Promise<string> {
    const { state = "running", ...rest } = parts;
    const { network, id: project } = installation;
    const deployer = dockerDeployer({ socketPath, network, project });
    onTestFinished(() => deployer.close());
    const identity = {
      installation: name,
      model,
      generation: `of-old-${model}`,
      kind: "manual",
      ...rest,
    } as const;
    const { id } = await deployer.create(templateOf(image)({ model, modelUri: "test:/" }), identity);
    if (state !== "created") await deployer.start(id, { installation: name });
    if (state === "stopped") await installation.api.need("POST", `/containers/${id}/kill`);
    return id;
  }

  /** A container of this installation whose labels somebody has spoilt. */
  async function mislabelled(model: string): Promise<string> {
    return await installation.api.run(model, {
      Image: image,
      Labels: {
        "com.docker.compose.project": installation.id,
        "org.cogstack.model-serve": model,
        "org.cogstack.model-gateway.deployment-type": "manual",
        "org.cogstack.model-gateway.ttl": "a day",
        "modelgate.installation": name,
        "modelgate.generation": `of-old-${model}`,
        "modelgate.model": model,
        "modelgate.ttl-ms": "a day",
        "modelgate.slots": "many",
        "modelgate.port": "http",
        "modelgate.secret-env": "{",
      },
      HostConfig: { NetworkMode: installation.network },
    });
  }

  it("makes a manual deployment's container again, and forgets an auto one until it is asked for", async () => {
    const [manual, auto] = [installation.model("manual"), installation.model("auto")];
    let url = await open();
    await onDemand(url, auto);
    const posted = await send(url, "POST", `/models/${manual}`, { model_uri: "test:/", ttl: 600 });
    expect((await ended(url, await submitted(url, auto))).status).toBe("succeeded");
    // A deployment that nobody has written down as ready yet is not lost with its container: it goes on.
    for (const each of [manual, auto]) await ready(url, each);
    const { expires_at } = (await call(url, `/models/${manual}/deployment`)).json;
    await installation.closeGateways();
    for (const each of [manual, auto]) await installation.api.removeContainer(each);

    url = await open();
    await until(
      () => engine.names(),
      (names) => names.includes(manual),
    );
    await ready(url, manual);
    expect((await engine.state(manual)).id).not.toBe(posted.json.container_id);
    const again = (await call(url, `/models/${manual}/deployment`)).json;
    expect(again).toMatchObject({ state: "ready", expires_at, failures: 0 });
    await until(
      () => stateOf(url, auto),
      (state) => state === 404,
    );
    expect(namesOf(await call(url, "/models/"), "on_demand")).toEqual([auto]);
    expect((await ended(url, await submitted(url, auto))).status).toBe("succeeded");
    expect(await engine.created(auto)).toBe(2);

    // The same under the eyes of a gateway.
    for (const each of [manual, auto]) await installation.api.removeContainer(each);
    expect((await ended(url, await submitted(url, auto))).status).toBe("succeeded");
    expect((await ended(url, await submitted(url, manual))).status).toBe("succeeded");
    for (const each of [manual, auto]) {
      await ready(url, each);
      expect((await send(url, "DELETE", `/models/${each}`)).status).toBe(204);
    }
    await send(url, "DELETE", `/admin/on-demand/${auto}`);
    expect(await engine.names()).toEqual([]);
  }, 60_000);

  it("adopts what runs without a record where it is wanted, and removes the rest", async () => {
    const model = (what: string): string => installation.model(what);
    let url = await open();
    await onDemand(url, model("wanted"));
    await installation.closeGateways();
    const manual = await leftBehind(model("kept"), { ttlMs: 600_000, modelUri: "test:/?kept" });
    const wanted = await leftBehind(model("wanted"), { kind: "auto", ttlMs: 600_000 });
    await leftBehind(model("unwanted"), { kind: "auto", ttlMs: 600_000 });
    await leftBehind(model("never-started"), { state: "created" });
    await mislabelled(model("mislabelled"));
    const before = await Promise.all([manual, wanted].map((id) => engine.state(id)));

    url = await open();
    await until(
      () => engine.names(),
      (names) => names.length === 3,
    );
    await Promise.all(["kept", "wanted", "mislabelled"].map((each) => ready(url, model(each))));
    expect((await call(url, `/models/${model("mislabelled")}/deployment`)).json.ttl).toBe(-1);
    expect((await call(url, `/models/${model("kept")}/deployment`)).json).toMatchObject({
      ...{ deployment_type: "manual", container_id: manual, ttl: 600, model_uri: "test:/?kept" },
    });
    expect((await call(url, `/models/${model("wanted")}/deployment`)).json).toMatchObject({
      ...{ deployment_type: "auto", container_id: wanted, idle_ttl: 600 },
    });
    expect((await ended(url, await submitted(url, model("wanted")))).status).toBe("succeeded");
    expect(await Promise.all([manual, wanted].map((id) => engine.state(id)))).toEqual(before);
    // One that is paused is no harder to remove.
    await installation.api.need("POST", `/containers/${manual}/pause`);
    for (const each of ["kept", "wanted", "mislabelled"]) {
      expect((await send(url, "DELETE", `/models/${model(each)}`)).status).toBe(204);
    }
    await send(url, "DELETE", `/admin/on-demand/${model("wanted")}`);
    expect(await engine.names()).toEqual([]);
  }, 60_000);

  it("puts a new container in the place of its own that has stopped", async () => {
    const model = installation.model("namesake");
    let url = await open();
    await onDemand(url, model);
    await installation.closeGateways();
    const old = await leftBehind(model, { kind: "auto", state: "stopped" });
    url = await open();
    expect((await ended(url, await submitted(url, model))).status).toBe("succeeded");
    expect((await engine.state(model)).id).not.toBe(old);
    expect((await engine.names()).filter((each) => each.startsWith("namesake"))).toEqual([model]);
    expect((await send(url, "DELETE", `/models/${model}`)).status).toBe(204);
    await send(url, "DELETE", `/admin/on-demand/${model}`);
  }, 60_000);

  it("lets a person deploy where a container of an earlier deployment is in the way", async () => {
    const model = installation.model("again");
    const old = await leftBehind(model, { kind: "auto", state: "stopped" });
    const url = await open();
    const answer = await send(url, "POST", `/models/${model}`, { model_uri: "test:/", ttl: 60 });
    expect(answer.status, answer.text).toBe(200);
    expect(answer.json.container_id).not.toBe(old);
    await ready(url, model);
    expect((await ended(url, await submitted(url, model))).status).toBe("succeeded");
    expect((await send(url, "DELETE", `/models/${model}`)).status).toBe(204);
    expect(await engine.names()).toEqual([]);
  }, 60_000);
});
