import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { requireService } from "../../../adapters-storage/test/support/services.ts";
import { call } from "../support/http-client.ts";
import { ended, namesOf, ready, stateOf, submitted, until } from "./support/callers.ts";
import { Installation, type OpenGateway, send } from "./support/installation.ts";
import { Watched } from "./support/watched.ts";

const socketPath = requireService("DOCKER_SOCKET") ?? "";
const image = requireService("DOCKER_TEST_IMAGE") ?? "";

// One engine, one compose project, one network: two installations, the gateway of CogStack and people with containers.
describe.skipIf(socketPath === "")("containers of others on a Docker Engine", () => {
  let ours: Installation;
  let theirs: Installation;
  let gateway: OpenGateway;
  let theirGateway: OpenGateway;
  let engine: Watched;
  let url: string;
  /** Containers of people, and of CogStack's gateway, by what they are. */
  const others: Record<"static" | "ended" | "plain" | "aliased" | "service" | "cogstack", string> = {
    ...{ static: "", ended: "", plain: "", aliased: "", service: "", cogstack: "" },
  };

  /** Starts a container that no gateway of these made. */
  async function stranger(
    name: string,
    { labels = {}, aliases = [] }: { labels?: Record<string, string>; aliases?: string[] } = {},
  ): Promise<string> {
    return await ours.api.run(name, {
      Image: image,
      Labels: { "com.docker.compose.project": ours.id, ...labels },
      HostConfig: { NetworkMode: ours.network },
      NetworkingConfig: { EndpointsConfig: { [ours.network]: { Aliases: aliases } } },
    });
  }

  const served = (type: string, service: string) => ({
    "org.cogstack.model-serve": type,
    "com.docker.compose.service": service,
  });

  beforeAll(async () => {
    const common = { socketPath, image, deployments: { maxConcurrent: 8, drainMs: 500 } };
    ours = await Installation.open(common);
    theirs = await Installation.open({ ...common, beside: ours });
    const model = (name: string) => ours.model(name);
    const ids = await Promise.all([
      stranger(model("static-1"), { labels: served("medcat_umls", model("static")) }),
      stranger(model("ended"), { labels: served("medcat_umls", model("ended")) }),
      stranger(model("plain")),
      stranger(model("something"), { aliases: [model("aliased")] }),
      stranger(model("service-1"), { labels: { "com.docker.compose.service": model("service") } }),
      stranger(model("cogstack"), {
        labels: {
          ...served(model("cogstack"), model("cogstack")),
          "org.cogstack.model-gateway.managed-by": "cmg",
          "org.cogstack.model-gateway.deployment-type": "manual",
          "org.cogstack.model-gateway.ttl": "1",
        },
      }),
    ]);
    for (const [at, name] of (Object.keys(others) as (keyof typeof others)[]).entries()) {
      others[name] = ids[at] ?? "";
    }
    await ours.api.need("POST", `/containers/${others.ended}/kill`);
    [gateway, theirGateway] = await Promise.all([ours.gateway(), theirs.gateway()]);
    url = gateway.url;
    engine = new Watched(ours);
    await until(
      async () => namesOf(await call(url, "/models/"), "running"),
      (names) => names.length === 2,
    );
  }, 40_000);
  afterAll(async () => {
    await theirs?.close();
    await ours?.close();
  }, 40_000);

  /** Does something, and makes sure that all containers that were there are as they were. */
  async function leavingAlone(work: () => Promise<void>): Promise<void> {
    const before = await engine.states();
    await work();
    const after = await engine.states();
    expect(after.filter(({ id }) => before.some((each) => each.id === id))).toEqual(before);
  }

  it("takes no name that another container, an alias or a service has, and says who has it", async () => {
    await leavingAlone(async () => {
      for (const [name, who] of [
        ["plain", "the name of a container"],
        ["ended", "the name of a container"],
        ["static-1", "the name of a container"],
        ["aliased", "an alias in the network"],
        ["service", "a service of a compose project"],
      ] as const) {
        const model = ours.model(name);
        const answer = await send(url, "POST", `/models/${model}`, { model_uri: "test:/" });
        expect(answer.status, `${name}: ${answer.text}`).toBe(409);
        expect(answer.json.detail).toContain("already running");
        const message = `"${model}" is ${who} that this installation did not start; rename or remove one of the two`;
        expect(answer.json.reason).toEqual({ code: "NAME_TAKEN", message });
        expect((await send(url, "DELETE", `/models/${model}`)).status).toBe(404);
        expect((await send(url, "DELETE", `/models/${model}?force=true`)).status).toBe(204);

        const wish = { model_name: model, model_uri: "test:/", idle_ttl: 1 };
        expect((await send(url, "POST", "/admin/on-demand", wish)).status).toBe(201);
        const task = await ended(url, await submitted(url, model));
        expect(task).toMatchObject({ status: "failed", error_message: expect.stringContaining(message) });
        expect((await send(url, "DELETE", `/admin/on-demand/${model}`)).status).toBe(204);
        expect((await send(url, "DELETE", `/models/${model}?force=true`)).status).toBe(204);
      }
      expect(namesOf(await call(url, "/models/"), "running").sort()).toEqual(
        [ours.model("cogstack"), ours.model("static")].sort(),
      );
    });
  }, 60_000);

  it("sends tasks to a labelled container of others, and neither replaces nor removes it", async () => {
    await leavingAlone(async () => {
      for (const name of ["static", "cogstack"]) {
        const model = ours.model(name);
        expect((await call(url, `/models/${model}?verbose=true`)).json).toMatchObject({
          ...{ is_running: true, runtime: { api_version: "0.0.1" } },
          // As the other gateway says by its label.
          deployment_type: name === "cogstack" ? "manual" : "static",
        });
        expect((await ended(url, await submitted(url, model))).status).toBe("succeeded");
        for (const path of [`/models/${model}`, `/models/${model}?force=true`]) {
          const { status, json } = await send(url, "DELETE", path);
          expect(status).toBe(403);
          expect(json.detail).toBe(
            `Model '${model}' is served by a server that this gateway did not deploy, and which it leaves alone.`,
          );
          expect(json.code).toBe("NOT_OURS");
        }
        expect((await send(url, "POST", `/models/${model}`, { model_uri: "s3://x" })).status).toBe(409);
        expect(await stateOf(url, model)).toBe(404);
        const logs = await send(url, "GET", `/models/${model}/deployment?logs=5`);
        expect(logs.status, "what it writes is nobody's here").toBe(404);

        // Configured on demand as well, it is used as it is.
        const wish = { model_name: model, model_uri: "test:/", idle_ttl: 1 };
        expect((await send(url, "POST", "/admin/on-demand", wish)).status).toBe(201);
        expect((await ended(url, await submitted(url, model))).status).toBe("succeeded");
        expect((await call(url, `/models/${model}/info`)).status).toBe(200);
        await sleep(1_200);
        expect(await stateOf(url, model)).toBe(404);
        expect((await send(url, "DELETE", `/admin/on-demand/${model}`)).status).toBe(204);
      }
    });
  }, 60_000);

  it("leaves what another installation deployed, running or stopped, whoever looks after it or nobody", async () => {
    const [manual, auto, failing] = ["manual", "auto", "stopped"].map((name) => ours.model(name)) as [
      string,
      string,
      string,
    ];
    const theirUrl = theirGateway.url;
    for (const model of [manual, failing]) {
      const body = { model_uri: "test:/", ttl: 4 };
      expect((await send(theirUrl, "POST", `/models/${model}`, body)).status).toBe(200);
    }
    const wish = { model_name: auto, model_uri: "test:/", idle_ttl: 4 };
    expect((await send(theirUrl, "POST", "/admin/on-demand", wish)).status).toBe(201);
    expect((await ended(theirUrl, await submitted(theirUrl, auto))).status).toBe("succeeded");
    await Promise.all([manual, failing, auto].map((model) => ready(theirUrl, model)));
    // Nobody looks after them any more, and one is stopped.
    await theirGateway.close();
    await ours.api.need("POST", `/containers/${failing}/stop?t=1`);
    await leavingAlone(async () => {
      for (const model of [manual, auto]) {
        expect((await ended(url, await submitted(url, model))).status).toBe("succeeded");
      }
      for (const model of [manual, auto, failing]) {
        expect((await send(url, "POST", `/models/${model}`, { model_uri: "test:/" })).status).toBe(409);
        const removal = await send(url, "DELETE", `/models/${model}?force=true`);
        expect([403, 204]).toContain(removal.status);
      }
      // A gateway of ours that begins anew, with all that it has of its own, and theirs whose time is over.
      await gateway.close();
      gateway = await ours.gateway();
      url = gateway.url;
      const mine = ours.model("mine");
      expect((await send(url, "POST", `/models/${mine}`, { model_uri: "test:/", ttl: 1 })).status).toBe(200);
      await sleep(4_500);
      await until(
        () => stateOf(url, mine),
        (state) => state === 404,
      );
    });
    expect(await engine.names()).toEqual(expect.arrayContaining([manual, auto, failing]));
    expect(await engine.names()).not.toContain(ours.model("mine"));

    // Their own gateway finds them again, and ends what is over.
    theirGateway = await theirs.gateway();
    await until(
      async () => (await engine.names()).filter((name) => [manual, auto, failing].includes(name)),
      (names) => names.length === 0,
      25_000,
    );
  }, 90_000);

  it("leaves everything alone when a gateway stops", async () => {
    await leavingAlone(async () => {
      await ours.closeGateways();
      await theirs.closeGateways();
    });
    expect((await engine.states()).map(({ status }) => status).sort()).toEqual([
      "exited",
      ...Array(5).fill("running"),
    ]);
  }, 30_000);
});
