import type { Gateway } from "@modelgate/core";
import { afterEach, describe, expect, it } from "vitest";
import type { HttpOptions } from "../src/index.ts";
import { DeploymentsDouble, ready } from "./support/deployments-double.ts";
import { handMadeGateway, modelStatus, taskRecord } from "./support/hand-made-gateway.ts";
import { HOSTS } from "./support/hosts.ts";
import { call } from "./support/http-client.ts";
import { type ModelServer, startModelServer } from "./support/model-server.ts";
import { startGateway } from "./support/real-gateway.ts";

const KEY = { "x-modelgate-key": "the-key-of-the-admins" };
const adminKey = KEY["x-modelgate-key"];
const JSON_TYPE = { "content-type": "application/json" };

/** Lines of the contract that no other test shows. */
describe.each(HOSTS)("the contract of CogStack's gateway over $host", ({ open }) => {
  const closers: (() => Promise<unknown>)[] = [];

  async function withServer(): Promise<{ url: string; server: ModelServer; gateway: Gateway }> {
    const server = await startModelServer();
    const { gateway, close } = await startGateway({ nlp: server.url });
    const host = await open(gateway);
    closers.push(host.close, close, server.close);
    return { url: host.url, server, gateway };
  }

  async function withDouble(options: HttpOptions = {}): Promise<{ url: string; double: DeploymentsDouble }> {
    const double = new DeploymentsDouble();
    const gateway = handMadeGateway({
      deployments: double,
      get: async () => taskRecord(),
      health: async () => ({ isHealthy: true, components: {} }),
    });
    const host = await open(gateway, { adminKey, ...options });
    closers.push(host.close);
    return { url: host.url, double };
  }

  afterEach(async () => {
    for (const close of closers.splice(0)) await close();
  });

  it("redirects nothing: every path is answered with and without a slash at its end", async () => {
    const { url, double } = await withDouble({ openConfigurations: true });
    await double.configurations.create({ model: "m", modelUri: "u" });
    for (const [path, status] of [
      ["/health", 200],
      ["/models", 200],
      ["/models/m", 200],
      ["/tasks", 403],
      ["/tasks/task-1", 200],
      ["/admin/on-demand", 200],
      ["/admin/on-demand/m", 200],
      ["/admin/on-demand/m/history", 200],
      ["/metrics", 404],
      ["/nothing", 404],
    ] as const) {
      for (const form of [path, `${path}/`]) {
        const answer = await call(url, form);
        expect([form, answer.status]).toEqual([form, status]);
        expect(answer.headers["location"]).toBeUndefined();
      }
    }
  });

  it("takes a boolean in every form that pydantic takes", async () => {
    const { url } = await withDouble();
    for (const form of ["true", "TRUE", "1", "yes", "Yes", "on", "t", "y"]) {
      expect((await call(url, `/tasks/task-1?detail=${form}`)).json).toHaveProperty("created_at");
    }
    for (const form of ["false", "False", "0", "no", "OFF", "f", "n"]) {
      expect((await call(url, `/tasks/task-1?detail=${form}`)).json).not.toHaveProperty("created_at");
    }
    const refused = await call(url, "/models/?verbose=maybe");
    expect(refused.status).toBe(422);
    expect(refused.json.detail).toEqual([
      {
        ...{ type: "bool_parsing", loc: ["query", "verbose"], input: "maybe" },
        msg: "Input should be a valid boolean, unable to interpret input",
      },
    ]);
  });

  it("tells by 404 that a server has no /info, and by 500 that it failed", async () => {
    const { url, server } = await withServer();
    server.info = (response) => response.writeHead(404).end("nothing here");
    const absent = await call(url, "/models/nlp/info");
    expect(absent.status).toBe(404);
    expect(absent.json.detail).toBe("Model 'nlp' not found. You can list all available models at /models");
    server.info = (response) => response.writeHead(418).end("a patient's note");
    const failed = await call(url, "/models/nlp/info");
    expect(failed.status).toBe(500);
    expect(failed.json.detail).toBe("The server of model 'nlp' answered its /info with status 418.");
  });

  it("answers errors in JSON with a detail, the unexpected ones too", async () => {
    const health = async (): Promise<never> => {
      throw new TypeError("unexpected");
    };
    const host = await open(handMadeGateway({ health }));
    closers.push(host.close);
    for (const [path, status] of [
      ["/health", 500],
      ["/nothing", 404],
      ["/models/nobody", 404],
      ["/tasks/", 403],
    ] as const) {
      const answer = await call(host.url, path);
      expect(answer.status).toBe(status);
      expect(answer.headers["content-type"]).toBe("application/json");
      expect(answer.json).toHaveProperty("detail");
    }
  });

  it("takes null for what is left out, and no body for none", async () => {
    const { url, double } = await withDouble();
    const nulls = { tracking_id: null, model_uri: "u", ttl: null };
    const deployed = await call(url, "/models/m2", {
      method: "POST",
      headers: JSON_TYPE,
      body: JSON.stringify(nulls),
    });
    expect([deployed.status, deployed.json.ttl]).toEqual([200, 86_400]);
    const empty = { method: "POST", headers: { ...KEY, "content-length": "0" } };
    expect((await call(url, "/models/m3", empty)).json.detail).toBe(
      "At least one of `tracking_id` or `model_uri` must be provided.",
    );
    const { id } = await double.configurations.create({ model: "m", modelUri: "u" });
    expect((await call(url, `/admin/on-demand/${id}/enable`, empty)).status).toBe(200);
  });

  it("leaves nulls out of models and configurations, and in the detail of a task", async () => {
    const { url, double } = await withDouble();
    await double.configurations.create({ model: "m", modelUri: "u" });
    double.onDeploy = () => ready;
    double.add({ model: "nlp", kind: "manual" });
    for (const path of [
      "/models/?verbose=true",
      "/models/m?verbose=1",
      "/admin/on-demand",
      "/admin/on-demand/m",
    ]) {
      expect((await call(url, path, { headers: KEY })).text).not.toContain("null");
    }
    expect((await call(url, "/tasks/task-1?detail=true")).text).toContain(
      '"result":null,"error_message":null',
    );
  });

  it("submits where its own client does: with a body of no length and no content type", async () => {
    const { url, server, gateway } = await withServer();
    const path = "/models/nlp/tasks/train_unsupervised_with_hf_hub_dataset?hf_dataset_repo_id=imdb";
    const answer = await call(url, path, { method: "POST", headers: { "content-length": "0" } });
    expect(answer.status).toBe(200);
    await gateway.wait(answer.json.uuid, { timeoutMs: 5_000 });
    expect(server.received[0]?.target).toContain("hf_dataset_repo_id=imdb");
  });

  it("has a document and a page of its own in place of FastAPI's", async () => {
    const { url } = await withDouble();
    for (const path of ["/docs", "/openapi.json"]) expect((await call(url, path)).status).toBe(200);
    expect((await call(url, "/redoc")).status).toBe(404);
  });

  it("keeps a running model out of those on demand, and lists it once", async () => {
    const double = new DeploymentsDouble();
    await double.configurations.create({ model: "nlp", modelUri: "u" });
    await double.configurations.create({ model: "later", modelUri: "u2" });
    const host = await open(handMadeGateway({ deployments: double, models: () => [modelStatus("nlp")] }));
    closers.push(host.close);
    expect((await call(host.url, "/models/")).json).toEqual({
      running: [{ name: "nlp", is_running: true }],
      on_demand: [{ name: "later", uri: "u2", is_running: false }],
    });
  });
});
