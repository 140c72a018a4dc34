import { type Gateway, GatewayError, type ServerAnswer } from "@modelgate/core";
import { afterEach, describe, expect, it } from "vitest";
import type { HttpOptions } from "../src/index.ts";
import { DeploymentsDouble, failed, ready, TRACKED } from "./support/deployments-double.ts";
import { handMadeGateway, modelStatus } from "./support/hand-made-gateway.ts";
import { HOSTS } from "./support/hosts.ts";
import { call } from "./support/http-client.ts";

const INFO =
  '{"api_version":"0.1","model_type":"said","model_description":"of itself","n":12345678901234567890}';

describe.each(HOSTS)("models that are deployed on demand over $host", ({ open }) => {
  const closers: (() => Promise<unknown>)[] = [];
  let double: DeploymentsDouble;
  let running: string[];
  let asked: string[];

  async function opened(options: HttpOptions = {}, parts: Partial<Gateway> = {}): Promise<string> {
    double = new DeploymentsDouble();
    running = [];
    asked = [];
    const gateway = handMadeGateway({
      deployments: double,
      models: () => running.map((name) => modelStatus(name)),
      info: async (name) => {
        asked.push(name);
        if (!running.includes(name)) throw new GatewayError("MODEL_UNKNOWN", "it is not there");
        return infoAnswer();
      },
      ...parts,
    });
    const host = await open(gateway, options);
    closers.push(host.close);
    return host.url;
  }

  function infoAnswer(): ServerAnswer {
    return {
      contentType: "application/json",
      sizeBytes: INFO.length,
      body: (async function* () {
        yield Buffer.from(INFO);
      })(),
    };
  }

  afterEach(async () => {
    for (const close of closers.splice(0)) await close();
  });

  it("are listed, until they run", async () => {
    const url = await opened();
    await double.configurations.create({ model: "b", modelUri: "u", description: "d", idleTtlMs: 5_000 });
    await double.configurations.create({
      ...{ model: "a", trackingId: "run-1", demands: { limits: { memoryBytes: 4 * 1024 ** 3, cpus: 2 } } },
    });
    running.push("static");
    expect((await call(url, "/models/")).text).toBe(
      `{"running":[{"name":"static","is_running":true}],"on_demand":[{"name":"a","uri":"${TRACKED.uri}","is_running":false},{"name":"b","uri":"u","is_running":false}]}`,
    );
    const { json } = await call(url, "/models?verbose=true");
    expect(json.on_demand).toEqual([
      {
        ...{ name: "a", uri: TRACKED.uri, is_running: false, model_type: TRACKED.type },
        ...{ deployment_type: "auto", idle_ttl: 3_600 },
        deploy: { resources: { limits: { memory: "4g", cpus: "2" } } },
      },
      {
        ...{ name: "b", uri: "u", is_running: false, description: "d", deployment_type: "auto", idle_ttl: 5 },
      },
    ]);
    expect((await call(url, "/models/a?verbose=1")).json).toEqual(json.on_demand[0]);
    expect((await call(url, "/models/b/")).json).toEqual({ name: "b", uri: "u", is_running: false });

    double.onDeploy = () => ready;
    double.add({ model: "b", kind: "auto", modelUri: "u-of-old", modelType: "known" });
    running.push("b");
    const moved = await call(url, "/models/?verbose=true");
    expect(moved.json.on_demand).toHaveLength(1);
    expect(moved.json.running.map((each: { name: string }) => each.name)).toEqual(["static", "b"]);
    expect(moved.json.running[0]).toMatchObject({ deployment_type: "static", model_type: "said" });
    expect(moved.json.running[1]).toMatchObject({
      ...{ uri: "u-of-old", is_running: true, deployment_type: "auto", model_type: "known" },
      description: "d",
    });
    expect(moved.json.running[1]).not.toHaveProperty("idle_ttl");
    expect(moved.text).toContain(`"runtime":${INFO}`);
    expect((await call(url, "/models/b")).json).toEqual({ name: "b", uri: "u-of-old", is_running: true });
    expect(double.deployments.size).toBe(1);
  });

  it("are named where a model is not found", async () => {
    const url = await opened();
    await double.configurations.create({ model: "later", modelUri: "u" });
    await double.configurations.create({ model: "now", modelUri: "u" });
    running.push("now");
    const absent = await call(url, "/models/foo");
    expect(absent.status).toBe(404);
    expect(absent.json.detail).toBe(
      "Model 'foo' not found: * Running models: ['now']. * On-demand models: ['later'].You can list all available models at /models.",
    );
    const info = await call(url, "/models/foo/info");
    expect(info.status).toBe(503);
    expect(info.json.detail).toBe(
      "Model 'foo' is not available. Running models: ['now']. On-demand models: ['later']. List all models at /models",
    );
    expect(double.deployments.size).toBe(0);
  });

  it("are asked for what they say of themselves once in a while, and few at a time", async () => {
    let atOnce = 0;
    let most = 0;
    const url = await opened(
      {},
      {
        info: async (name) => {
          asked.push(name);
          atOnce += 1;
          most = Math.max(most, atOnce);
          await new Promise((resolve) => setTimeout(resolve, 20));
          atOnce -= 1;
          return infoAnswer();
        },
      },
    );
    running.push(...Array.from({ length: 100 }, (_, n) => `m${n}`));
    const [first, second] = await Promise.all([
      call(url, "/models/?verbose=true"),
      call(url, "/models/?verbose=true"),
    ]);
    expect(first.json.running.every((each: { runtime?: unknown }) => each.runtime !== undefined)).toBe(true);
    expect(second.text).toBe(first.text);
    await call(url, "/models/m7?verbose=true");
    expect(asked).toHaveLength(100);
    expect(most).toBeGreaterThan(1);
    expect(most).toBeLessThanOrEqual(32);
  });

  it("are deployed when their /info is asked for", async () => {
    const url = await opened();
    await double.configurations.create({ model: "foo", modelUri: "u" });
    double.onDeploy = () => {
      // The gateway learns a moment later than the deployment where the server is.
      setTimeout(() => running.push("foo"), 60);
      return ready;
    };
    const answers = await Promise.all([1, 2, 3].map(() => call(url, "/models/foo/info")));
    for (const answer of answers) {
      expect(answer.status).toBe(200);
      expect(answer.text).toBe(INFO);
    }
    expect(double.deployments.size).toBe(1);
  });

  it("go on being deployed when that takes longer than a caller is kept waiting", async () => {
    const url = await opened({ maxWaitMs: 30 });
    await double.configurations.create({ model: "foo", modelUri: "u" });
    double.onDeploy = () => ({ state: "deploying" });
    const answer = await call(url, "/models/foo/info");
    expect(answer.status).toBe(503);
    expect(answer.headers["retry-after"]).toBe("5");
    expect(answer.json).toMatchObject({
      state: "deploying",
      detail: expect.stringContaining("is not available"),
    });
    expect(double.deployments.get("foo")?.state).toBe("deploying");
  });

  it("tell why they could not be deployed", async () => {
    const url = await opened();
    await double.configurations.create({ model: "foo", modelUri: "u" });
    double.onDeploy = () => failed("IMAGE_MISSING", "the image is not there");
    const answer = await call(url, "/models/foo/info");
    expect(answer.status).toBe(503);
    expect(answer.json).toMatchObject({
      ...{ code: "IMAGE_MISSING", state: "failed" },
      reason: { code: "IMAGE_MISSING", message: "the image is not there" },
      detail: expect.stringMatching(
        /^Model 'foo' is not available\. Running models: \[\]\. On-demand models: \['foo'\]/,
      ),
    });
  });

  it("answer 503 while what deploys them is away", async () => {
    const url = await opened();
    double.fault = new GatewayError("DEPLOYER_UNAVAILABLE", "secret");
    const answer = await call(url, "/models/foo/info");
    expect(answer.status).toBe(503);
    expect(answer.headers["retry-after"]).toBe("5");
    expect(answer.text).not.toContain("secret");
  });
});
