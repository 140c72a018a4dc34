import { setTimeout as sleep } from "node:timers/promises";
import { type Gateway, GatewayError } from "@modelgate/core";
import { afterEach, describe, expect, it } from "vitest";
import { handMadeGateway, modelStatus } from "./support/hand-made-gateway.ts";
import { HOSTS, type OpenHost } from "./support/hosts.ts";
import { call } from "./support/http-client.ts";
import { type ModelServer, startModelServer } from "./support/model-server.ts";
import { type RealGateway, startGateway } from "./support/real-gateway.ts";

describe.each(HOSTS)("models over $host", ({ open }) => {
  const closers: (() => Promise<unknown>)[] = [];

  async function withServers(names: readonly string[]): Promise<{ url: string; servers: ModelServer[] }> {
    const servers = await Promise.all(names.map(startModelServer));
    const real: RealGateway = await startGateway(
      Object.fromEntries(names.map((name, index) => [name, servers[index]?.url ?? ""])),
    );
    await expect.poll(() => real.gateway.models().filter((each) => each.isRunning).length).toBe(names.length);
    const host: OpenHost = await open(real.gateway, { infoTimeoutMs: 300 });
    closers.push(host.close, real.close, ...servers.map((server) => server.close));
    return { url: host.url, servers };
  }

  async function withGateway(parts: Partial<Gateway>): Promise<string> {
    const host = await open(handMadeGateway(parts), { infoTimeoutMs: 100 });
    closers.push(host.close);
    return host.url;
  }

  afterEach(async () => {
    for (const close of closers.splice(0)) await close();
  });

  it("lists those that run, with and without a slash", async () => {
    const { url } = await withServers(["a", "b"]);
    for (const path of ["/models", "/models/", "/models/?verbose=no"]) {
      const answer = await call(url, path);
      expect(answer.status).toBe(200);
      expect(answer.json).toEqual({
        running: [
          { name: "a", is_running: true },
          { name: "b", is_running: true },
        ],
        on_demand: [],
      });
    }
  });

  it("leaves out a known model without a ready server", async () => {
    const url = await withGateway({ models: () => [modelStatus("up"), modelStatus("down", false)] });
    expect((await call(url, "/models/")).json.running).toEqual([{ name: "up", is_running: true }]);
    const answer = await call(url, "/models/down");
    expect(answer.status).toBe(404);
    expect(answer.json.detail).toBe(
      "Model 'down' not found: * Running models: ['up']. * On-demand models: [].You can list all available models at /models.",
    );
  });

  it("tells what servers say of themselves, in their own words", async () => {
    const { url, servers } = await withServers(["a"]);
    const answer = await call(url, "/models/?verbose=True");
    expect(answer.json.running[0]).toMatchObject({
      name: "a",
      is_running: true,
      deployment_type: "static",
      model_type: "medcat_umls",
      description: "a model",
    });
    expect(answer.json.running[0]).not.toHaveProperty("uri");
    expect(answer.text).toContain(`"runtime":${String(servers[0]?.info)}`);
    expect((await call(url, "/models/a/?verbose=1")).json).toEqual(answer.json.running[0]);
  });

  it("lets no broken server break the list", async () => {
    const { url, servers } = await withServers(["broken", "hangs", "huge", "refuses", "well"]);
    const [broken, hangs, huge, refuses] = servers as [ModelServer, ModelServer, ModelServer, ModelServer];
    broken.info = "<html>";
    hangs.info = (response) => response.writeHead(200).write('{"model_type":');
    huge.info = (response) => response.end(`"${"x".repeat(2_000_000)}"`);
    refuses.info = (response) => response.writeHead(500).end("no");
    const begun = performance.now();
    const { running } = (await call(url, "/models/?verbose=true")).json;
    expect(performance.now() - begun).toBeLessThan(2_000);
    expect(running.map((model: { name: string }) => model.name)).toEqual([
      "broken",
      "hangs",
      "huge",
      "refuses",
      "well",
    ]);
    expect(running.filter((model: { runtime?: unknown }) => model.runtime !== undefined)).toHaveLength(1);
  });

  it("gives up on a server that says nothing of itself in time", async () => {
    const info = async (): Promise<never> => {
      await sleep(5_000, undefined, { ref: false });
      throw new Error("never");
    };
    const url = await withGateway({ info });
    const begun = performance.now();
    expect((await call(url, "/models/nlp?verbose=true")).json.deployment_type).toBe("static");
    expect(performance.now() - begun).toBeLessThan(2_000);
  });

  it("refuses a boolean that is none", async () => {
    const url = await withGateway({});
    for (const path of ["/models/?verbose=maybe", "/models/nlp?verbose=maybe"]) {
      const answer = await call(url, path);
      expect(answer.status).toBe(422);
      expect(answer.json.detail[0]).toMatchObject({ type: "bool_parsing", loc: ["query", "verbose"] });
    }
  });

  it("passes on a server's /info as it is", async () => {
    const { url, servers } = await withServers(["a"]);
    for (const path of ["/models/a/info", "/models/a/info/"]) {
      const answer = await call(url, path);
      expect(answer.status).toBe(200);
      expect(answer.headers["content-type"]).toBe("application/json");
      expect(answer.text).toBe(servers[0]?.info);
    }
  });

  it.each(["MODEL_UNKNOWN", "SERVER_UNREACHABLE", "SERVER_BUSY"] as const)(
    "says that a model is not available when its /info ends as %s",
    async (code) => {
      const info = async (): Promise<never> => {
        throw new GatewayError(code, "away");
      };
      const answer = await call(await withGateway({ info }), "/models/it's/info");
      expect(answer.status).toBe(503);
      expect(answer.json).toMatchObject({
        code: "MODEL_UNKNOWN",
        detail:
          "Model 'it's' is not available. Running models: ['nlp']. On-demand models: []. List all models at /models",
      });
    },
  );

  it("finds a model by its decoded name", async () => {
    const url = await withGateway({ models: () => [modelStatus("größe 1")] });
    expect((await call(url, "/models/gr%C3%B6%C3%9Fe%201")).json.name).toBe("größe 1");
    expect((await call(url, "/models/%25zz")).json.detail).toContain("Model '%zz' not found");
  });
});
