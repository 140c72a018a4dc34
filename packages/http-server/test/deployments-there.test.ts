import { type Gateway, GatewayError } from "@modelgate/core";
import { afterEach, describe, expect, it } from "vitest";
import type { HttpOptions } from "../src/index.ts";
import {
  DeploymentsDouble,
  type DoubleOptions,
  failed,
  ready,
  started,
} from "./support/deployments-double.ts";
import { handMadeGateway, modelStatus } from "./support/hand-made-gateway.ts";
import { HOSTS } from "./support/hosts.ts";
import { type Answer, call } from "./support/http-client.ts";

const adminKey = "the-key-of-the-admins";
const KEY = { "x-modelgate-key": adminKey };
const uri = "s3://models/a b;$(x)";

describe.each(HOSTS)("deployments that are there over $host", ({ open }) => {
  const closers: (() => Promise<unknown>)[] = [];
  let double: DeploymentsDouble;

  async function opened(
    settings: DoubleOptions = {},
    options: HttpOptions = {},
    parts: Partial<Gateway> = {},
  ): Promise<string> {
    double = new DeploymentsDouble(settings);
    const gateway = handMadeGateway({ models: () => [], deployments: double, ...parts });
    const host = await open(gateway, { adminKey, ...options });
    closers.push(host.close);
    return host.url;
  }

  const remove = (url: string, target: string): Promise<Answer> => call(url, target, { method: "DELETE" });

  afterEach(async () => {
    for (const close of closers.splice(0)) await close();
  });

  it("are removed, with their server", async () => {
    const url = await opened();
    for (const [target, state] of [
      ["/models/foo", "ready"],
      ["/models/foo/", "deploying"],
      ["/models/foo?force=true", "waiting"],
    ] as const) {
      double.onDeploy = () => ({ ...started, state });
      double.add({ model: "foo" });
      const answer = await remove(url, target);
      expect(answer.status).toBe(204);
      expect(answer.text).toBe("");
      expect(answer.headers).not.toHaveProperty("content-length");
      expect(double.deployments.size).toBe(0);
    }
  });

  it("are not there to be removed", async () => {
    const url = await opened();
    const absent = await remove(url, "/models/foo");
    expect(absent.status).toBe(404);
    expect(absent.json.detail).toBe("Container for model 'foo' not found");
    expect((await remove(url, "/models/foo?force=true")).status).toBe(204);
    expect((await remove(url, "/models/foo?force=maybe")).status).toBe(422);
    const impossible = await remove(url, "/models/a%20b?force=true");
    expect(impossible.status).toBe(400);
    expect(impossible.json.detail).toMatch(/^Invalid model name\./);

    double.onDeploy = () => failed("SERVER_EXITED", "in words");
    double.add({ model: "foo", ...failed("SERVER_EXITED", "in words") });
    const dead = await remove(url, "/models/foo");
    expect(dead.status).toBe(404);
    expect(dead.json.detail).toBe(
      "Model 'foo' is not currently running. Use force=true to remove stopped containers.",
    );
    expect((await remove(url, "/models/foo?force=1")).status).toBe(204);
    expect(double.deployments.size).toBe(0);
  });

  it("of others are left alone, whatever is asked", async () => {
    const server = {
      id: "s",
      state: "ready",
      protocol: "cms",
      limit: 1,
      inFlight: 0,
      isPaused: false,
    } as const;
    const models = [{ ...modelStatus("of others"), servers: [server] }, modelStatus("seen once", false)];
    const url = await opened({}, {}, { models: () => models });
    double.others.add("static");
    for (const name of ["static", "of%20others"]) {
      for (const target of [`/models/${name}`, `/models/${name}?force=true`]) {
        const answer = await remove(url, target);
        expect(answer.status).toBe(403);
        expect(answer.json).toMatchObject({
          code: "NOT_OURS",
          detail: expect.stringContaining(`'${decodeURIComponent(name)}'`),
        });
      }
    }
    expect((await remove(url, "/models/seen%20once")).status).toBe(400);
  });

  it("go on being removed when that takes longer than a caller is kept waiting", async () => {
    const url = await opened({}, { maxWaitMs: 30 });
    double.onDeploy = () => ready;
    double.add({ model: "foo", ...ready });
    double.removals = new Promise(() => {});
    const answer = await remove(url, "/models/foo");
    expect(answer.status).toBe(503);
    expect(answer.headers["retry-after"]).toBe("5");
  });

  it.each([
    ["DEPLOYER_UNAVAILABLE", 503],
    ["STORE_UNAVAILABLE", 503],
    ["DEPLOYER_REFUSED", 500],
    ["UNSUPPORTED", 501],
    ["DEPLOYMENT_UNKNOWN", 204],
  ] as const)("tell that a removal met %s", async (code, status) => {
    const url = await opened();
    double.onDeploy = () => ready;
    double.add({ model: "foo", ...ready });
    double.remove = async () => {
      throw new GatewayError(code, "secret");
    };
    const answer = await remove(url, "/models/foo");
    expect(answer.status).toBe(status);
    expect(answer.text).not.toContain("secret");
    if (status === 503) expect(answer.headers["retry-after"]).toBe("5");
    if (status === 500) expect(answer.json.detail).toBe("Failed to remove container for model 'foo'");
  });

  it("tell how they are", async () => {
    const url = await opened();
    double.onDeploy = () => ready;
    double.add({
      ...{ model: "foo", modelUri: uri, modelType: "medcat_umls", trackingId: "run-1", ttlMs: 60_000 },
      ...{ ...ready, expiresAtMs: 1_763_680_380_000 },
    });
    const answer = await call(url, "/models/foo/deployment/");
    expect(answer.status).toBe(200);
    expect(answer.json).toEqual({
      ...{
        name: "foo",
        state: "ready",
        deployment_type: "manual",
        model_uri: uri,
        model_type: "medcat_umls",
      },
      ...{ tracking_id: "run-1", created_at: "2025-11-20T23:11:56.654000+00:00" },
      ...{ ready_at: "2025-11-20T23:12:00.000000+00:00", expires_at: "2025-11-20T23:13:00.000000+00:00" },
      ...{ ttl: 60, container_id: "c0ffee", container_name: "foo", image_digest: "sha256:1" },
      ...{ is_started: true, failures: 0 },
    });
    double.onDeploy = () => ({});
    double.add({
      ...{ model: "bar", kind: "auto", idleTtlMs: 5_000, failures: 1 },
      error: { code: "IMAGE_MISSING", message: "the image is not there" },
      progress: { phase: "pulling", doneBytes: 1, totalBytes: 2 },
    });
    expect((await call(url, "/models/bar/deployment")).json).toEqual({
      ...{
        name: "bar",
        state: "waiting",
        deployment_type: "auto",
        idle_ttl: 5,
        is_started: false,
        failures: 1,
      },
      created_at: "2025-11-20T23:11:56.654000+00:00",
      reason: { code: "IMAGE_MISSING", message: "the image is not there" },
      progress: { phase: "pulling", done_bytes: 1, total_bytes: 2 },
    });
    const absent = await call(url, "/models/none/deployment");
    expect(absent.status).toBe(404);
    expect(absent.json.detail).toBe("There is no deployment of model 'none'.");
  });

  it("show what their servers wrote to administrators only", async () => {
    const url = await opened();
    double.onDeploy = () => ready;
    double.add({ model: "foo" });
    double.lines.push(...[1, 2, 3].map((n) => ({ stream: "stderr", text: `line ${n}` }) as const));
    for (const headers of [{}, { "x-modelgate-key": `${adminKey}x` }]) {
      for (const query of ["logs=2", "logs=x"]) {
        const answer = await call(url, `/models/foo/deployment?${query}`, { headers });
        expect(answer.status).toBe(403);
        expect(answer.text).toBe('{"detail":"Only admins can read what servers write"}');
      }
    }
    const answer = await call(url, "/models/foo/deployment?logs=2", { headers: KEY });
    expect(answer.json.logs).toEqual([
      { stream: "stderr", text: "line 2" },
      { stream: "stderr", text: "line 3" },
    ]);
    expect((await call(url, "/models/foo/deployment", { headers: KEY })).json).not.toHaveProperty("logs");
    for (const logs of ["0", "1001", "x", "-1", ""]) {
      const refused = await call(url, `/models/foo/deployment?logs=${logs}`, { headers: KEY });
      expect(refused.status).toBe(422);
      expect(refused.json.detail[0].loc).toEqual(["query", "logs"]);
    }
    double.lines.push(
      { stream: "stdout", text: "x".repeat(700_000) },
      { stream: "stdout", text: "y".repeat(700_000) },
    );
    const large = await call(url, "/models/foo/deployment?logs=9", { headers: KEY });
    expect(large.json.logs.map(({ text }: { text: string }) => text[0])).toEqual(["y"]);
  });
});
