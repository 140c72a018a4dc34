import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { requireService } from "../../../adapters-storage/test/support/services.ts";
import { call } from "../support/http-client.ts";
import { ended, namesOf, ready, stateOf, submit, submitted } from "./support/callers.ts";
import { Installation, type OpenGateway, send, TRACKED } from "./support/installation.ts";
import { Watched } from "./support/watched.ts";

const socketPath = requireService("DOCKER_SOCKET") ?? "";
const image = requireService("DOCKER_TEST_IMAGE") ?? "";

// The scenario by which clients of CogStack's own gateway judge it, by HTTP alone and on a real engine.
describe.skipIf(socketPath === "")("the story of deployments on a Docker Engine", () => {
  let installation: Installation;
  let gateway: OpenGateway;
  let other: OpenGateway;
  let url: string;
  let engine: Watched;

  beforeAll(async () => {
    installation = await Installation.open({ socketPath, image });
    [gateway, other] = await Promise.all([installation.gateway(), installation.gateway()]);
    url = gateway.url;
    engine = new Watched(installation);
  }, 30_000);
  afterAll(() => installation?.close(), 30_000);

  describe("of a person who deploys", () => {
    it("deploys by run and by address, refuses the second, and removes", async () => {
      const [byRun, byUri] = [installation.model("by-run"), installation.model("by-uri")];
      const [first, second] = await Promise.all([
        send(url, "POST", `/models/${byRun}`, { tracking_id: TRACKED.runId, model_uri: null, ttl: null }),
        send(url, "POST", `/models/${byUri}`, { model_uri: "test:/?START_DELAY_MS=300", ttl: -1 }),
      ]);
      expect(first.status, first.text).toBe(200);
      expect(first.json).toEqual({
        message: `Model '${byRun}' deployed successfully`,
        model_uri: TRACKED.uri,
        container_id: expect.stringMatching(/^[0-9a-f]{64}$/),
        container_name: byRun,
        ttl: 86_400,
      });
      expect(second.json).toMatchObject({ ttl: -1, container_name: byUri });
      const container = await engine.inspect(first.json.container_id);
      expect(container.Name).toBe(`/${byRun}`);
      expect(container.Config.Labels).toMatchObject({
        "org.cogstack.model-serve": byRun,
        "org.cogstack.model-serve.uri": TRACKED.uri,
        "org.cogstack.model-gateway.managed-by": "modelgate",
        "org.cogstack.model-gateway.deployment-type": "manual",
        "org.cogstack.model-gateway.ttl": "86400",
        "com.docker.compose.project": installation.id,
        "com.docker.compose.service": byRun,
      });
      const { Config } = await engine.inspect(second.json.container_id);
      expect(Config.Labels["org.cogstack.model-gateway.ttl"]).toBe("-1");

      await Promise.all([ready(url, byRun), ready(url, byUri)]);
      expect(namesOf(await call(url, "/models/"), "running")).toEqual(expect.arrayContaining([byRun, byUri]));
      expect((await ended(url, await submitted(url, byRun))).status).toBe("succeeded");
      expect((await call(url, `/models/${byRun}?verbose=true`)).json).toMatchObject({
        ...{ uri: TRACKED.uri, deployment_type: "manual", model_type: "medcat_umls", is_running: true },
        runtime: { api_version: "0.0.1" },
      });
      const deployment = (await call(url, `/models/${byRun}/deployment`)).json;
      expect(deployment).toMatchObject({
        ...{ name: byRun, state: "ready", deployment_type: "manual", tracking_id: TRACKED.runId },
        ...{ container_id: first.json.container_id, is_started: true, failures: 0, ttl: 86_400 },
      });

      const taken = await send(url, "POST", `/models/${byRun}`, { model_uri: "s3://other" });
      expect({ status: taken.status, detail: taken.json.detail }).toEqual({
        status: 409,
        detail: `Model '${byRun}' is already running, please choose a different name. You can list all available models at /models`,
      });
      expect((await engine.inspect(first.json.container_id)).State).toEqual(container.State);

      for (const name of [byRun, byUri]) {
        expect((await send(url, "DELETE", `/models/${name}`)).status).toBe(204);
        expect(await stateOf(url, name)).toBe(404);
        const again = await send(url, "DELETE", `/models/${name}`);
        expect({ status: again.status, detail: again.json.detail }).toEqual({
          status: 404,
          detail: `Container for model '${name}' not found`,
        });
        expect((await send(url, "DELETE", `/models/${name}?force=true`)).status).toBe(204);
      }
      expect(await engine.names()).toEqual([]);
    }, 60_000);

    it("is told what is wrong before anything is started", async () => {
      const model = installation.model("refused");
      const post = async (body: unknown, name = model) => {
        const { status, json } = await send(url, "POST", `/models/${name}`, body);
        return { status, detail: json.detail };
      };
      expect(await post({})).toEqual({
        ...{ status: 400, detail: "At least one of `tracking_id` or `model_uri` must be provided." },
      });
      expect(await post({ tracking_id: "nobody" })).toEqual({
        ...{ status: 404, detail: "Model not found for tracking ID 'nobody'." },
      });
      for (const ttl of [0, -2]) expect((await post({ model_uri: "s3://x", ttl })).status).toBe(400);
      expect((await post({ model_uri: "s3://x", ttl: 1.5 })).status).toBe(422);
      const unknown = installation.model("nobody");
      expect((await call(url, `/models/${unknown}`)).status).toBe(404);
      expect((await call(url, `/models/${unknown}/deployment`)).status).toBe(404);
      expect(await stateOf(url, model)).toBe(404);
      expect(await engine.names()).toEqual([]);

      const strict = await installation.gateway({
        deployments: { manual: { requiresKnownUri: true, maxTtlMs: 60_000 } },
      });
      const invalid = await send(strict.url, "POST", `/models/${model}`, { model_uri: "invalid://uri" });
      expect({ status: invalid.status, detail: invalid.json.detail }).toEqual({
        status: 404,
        detail: "Model URI 'invalid://uri' could not be validated. Model may not exist.",
      });
      for (const ttl of [61, -1]) {
        const long = await send(strict.url, "POST", `/models/${model}`, { model_uri: TRACKED.uri, ttl });
        expect({ status: long.status, detail: long.json.detail }).toEqual({
          ...{ status: 400, detail: "TTL exceeds maximum allowed value of 60 seconds." },
        });
      }
      await strict.close();
      expect(await engine.names()).toEqual([]);
    }, 30_000);

    it("shares one server with equal requests to several gateways, and one wins of others", async () => {
      const [same, different] = [installation.model("same"), installation.model("different")];
      const urls = [gateway.url, other.url];
      const body = { model_uri: "test:/?START_DELAY_MS=2000", ttl: 3_600 };
      const equal = await Promise.all(
        Array.from({ length: 8 }, (_, n) => send(urls[n % 2] ?? "", "POST", `/models/${same}`, body)),
      );
      expect(equal.map(({ status }) => status)).toEqual(Array(8).fill(200));
      expect(new Set(equal.map(({ json }) => json.container_id)).size).toBe(1);
      expect(await engine.created(same)).toBe(1);
      const others = await Promise.all(
        urls.map((each, n) => send(each, "POST", `/models/${different}`, { model_uri: `s3://${n}` })),
      );
      expect(others.map(({ status }) => status).sort()).toEqual([200, 409]);
      expect(await engine.created(different)).toBe(1);
      await Promise.all([same, different].map((name) => send(url, "DELETE", `/models/${name}`)));
      expect(await engine.names()).toEqual([]);
    }, 60_000);
  });

  describe("of tasks for on-demand models", () => {
    const configure = async (model: string, uri: string, more: object = {}): Promise<void> => {
      const { status, text } = await send(url, "POST", "/admin/on-demand", {
        ...{ model_name: model, model_uri: uri, tracking_id: null, idle_ttl: 600, description: null },
        ...{ deploy: null, replace_enabled: true, inherit_config: true, ...more },
      });
      expect(status, text).toBe(201);
    };

    it("deploys once for the first and all that follow, lists it where it belongs, and leaves it when disabled", async () => {
      const model = installation.model("later");
      await configure(model, "test:/?START_DELAY_MS=800", {
        deploy: { resources: { limits: { memory: "256m", cpus: "0.5" } } },
      });
      const before = await call(url, "/models/?verbose=true");
      expect(namesOf(before, "running")).not.toContain(model);
      expect(before.json.on_demand).toContainEqual({
        ...{ name: model, uri: "test:/?START_DELAY_MS=800", is_running: false, deployment_type: "auto" },
        ...{ idle_ttl: 600, deploy: { resources: { limits: { memory: "256m", cpus: "0.5" } } } },
      });

      const began = performance.now();
      const first = await submitted(url, model);
      expect(performance.now() - began, "the task was taken before there was a server").toBeLessThan(700);
      const others = await Promise.all([url, url, other.url].map((each) => submitted(each, model)));
      for (const id of [first, ...others]) {
        expect(await ended(url, id)).toMatchObject({ status: "succeeded", error_message: null });
      }
      expect((await ended(url, await submitted(other.url, model))).status).toBe("succeeded");
      expect(await engine.created(model)).toBe(1);

      const container = await engine.inspect(model);
      expect(container.HostConfig).toMatchObject({ Memory: 256 * 1024 ** 2, NanoCpus: 5e8 });
      expect(container.Config.Labels).toMatchObject({
        "org.cogstack.model-serve": model,
        "org.cogstack.model-gateway.deployment-type": "auto",
        "org.cogstack.model-gateway.managed-by": "modelgate",
        "org.cogstack.model-gateway.ttl": "600",
      });
      const listed = await call(url, "/models/?verbose=true");
      expect(namesOf(listed, "on_demand")).not.toContain(model);
      expect(listed.json.running.find(({ name }: { name: string }) => name === model)).toMatchObject({
        ...{ deployment_type: "auto", is_running: true, runtime: { model_type: "medcat_umls" } },
      });

      expect((await send(url, "DELETE", `/admin/on-demand/${model}`)).status).toBe(204);
      expect((await send(url, "GET", `/admin/on-demand/${model}`)).status).toBe(404);
      expect((await ended(url, await submitted(url, model))).status).toBe("succeeded");
      expect((await engine.inspect(model)).State.StartedAt).toBe(container.State.StartedAt);
      expect((await send(url, "DELETE", `/models/${model}`)).status).toBe(204);
      expect((await call(url, `/models/${model}`)).status).toBe(404);
    }, 60_000);

    it("stays away when it was removed right after its last task", async () => {
      const model = installation.model("removed");
      await configure(model, "test:/");
      const tasks = await Promise.all(Array.from({ length: 4 }, () => submitted(url, model)));
      await Promise.all(tasks.map((id) => ended(url, id)));
      expect((await send(url, "DELETE", `/models/${model}`)).status).toBe(204);
      await sleep(1_500);
      expect(await engine.created(model)).toBe(1);
      expect(await engine.names()).toEqual([]);
    }, 30_000);

    it("moves between the lists as its server comes and goes, and is deployed for /info", async () => {
      const model = installation.model("moving");
      await configure(model, "test:/");
      const lists = async () => {
        const answer = await call(url, "/models/");
        return (["running", "on_demand"] as const).filter((list) => namesOf(answer, list).includes(model));
      };
      expect(await lists()).toEqual(["on_demand"]);
      expect((await call(url, `/models/${model}`)).json.is_running).toBe(false);
      expect(await engine.names(), "looking at it deploys nothing").toEqual([]);
      const info = await call(url, `/models/${model}/info`);
      expect(info.status, info.text).toBe(200);
      expect(info.json).toMatchObject({ api_version: "0.0.1", model_card: {} });
      expect(await lists()).toEqual(["running"]);
      expect((await send(url, "DELETE", `/models/${model}`)).status).toBe(204);
      await expect.poll(lists).toEqual(["on_demand"]);
      await sleep(1_500);
      expect(await engine.names(), "what was asked before it was removed brings it back").toEqual([]);
      expect((await send(url, "DELETE", `/admin/on-demand/${model}`)).status).toBe(204);
      expect(await lists()).toEqual([]);
    }, 30_000);

    it("answers for an unknown model with 503, and keeps no task", async () => {
      const nobody = installation.model("nobody");
      const tasks = async (): Promise<number> => (await send(url, "GET", "/tasks/")).json.tasks.length;
      const before = await tasks();
      for (const answer of [await submit(url, nobody), await call(url, `/models/${nobody}/info`)]) {
        expect(answer.status).toBe(503);
        const detail = answer.json.detail.toLowerCase();
        for (const words of ["not available", "running models", "on-demand models"])
          expect(detail).toContain(words);
      }
      expect(await tasks()).toBe(before);
      expect(await stateOf(url, nobody)).toBe(404);
      expect(await engine.names()).toEqual([]);
    });
  });
});
