import { type Gateway, GatewayError } from "@modelgate/core";
import { afterEach, describe, expect, it } from "vitest";
import type { HttpOptions } from "../src/index.ts";
import {
  DeploymentsDouble,
  type DoubleOptions,
  failed,
  started,
  TRACKED,
} from "./support/deployments-double.ts";
import { handMadeGateway } from "./support/hand-made-gateway.ts";
import { HOSTS } from "./support/hosts.ts";
import { type Answer, call } from "./support/http-client.ts";

const adminKey = "the-key-of-the-admins";
const KEY = { "x-modelgate-key": adminKey };
const uri = "s3://models/a b;$(x)";

describe.each(HOSTS)("deployments over $host", ({ open }) => {
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

  const post = (url: string, name: string, body?: unknown): Promise<Answer> =>
    call(url, `/models/${name}`, {
      method: "POST",
      ...(body !== undefined && {
        body: JSON.stringify(body),
        headers: { "content-type": "application/json" },
      }),
    });
  afterEach(async () => {
    for (const close of closers.splice(0)) await close();
  });

  it("start a server, and tell what it is", async () => {
    const url = await opened();
    const answer = await post(url, "foo", { tracking_id: null, model_uri: uri, ttl: null });
    expect(answer.status).toBe(200);
    expect(answer.text).toBe(
      JSON.stringify({
        ...{ message: "Model 'foo' deployed successfully", model_uri: uri, container_id: "c0ffee" },
        ...{ container_name: "foo", ttl: 86_400 },
      }),
    );
    expect((await post(url, "run/", { tracking_id: "run-1" })).json.model_uri).toBe(TRACKED.uri);
    expect((await post(url, "ever", { model_uri: uri, ttl: -1 })).json.ttl).toBe(-1);
    expect((await post(url, "long", { model_uri: uri, tracking_id: "no", ttl: "90" })).json).toMatchObject({
      ...{ model_uri: uri, ttl: 90 },
    });
  });

  it("give a server what it is asked to have", async () => {
    const url = await opened();
    const deploy = {
      resources: {
        limits: { memory: "1.5g", cpus: "0.5" },
        reservations: {
          ...{ memory: "512M", cpus: null },
          devices: [{ capabilities: ["gpu"], device_ids: ["GPU-1"] }],
        },
      },
    };
    expect((await post(url, "foo", { model_uri: uri, deploy })).status).toBe(200);
    expect(double.requests[0]?.demands).toEqual({
      limits: { memoryBytes: 1.5 * 1024 ** 3, cpus: 0.5 },
      reservations: { memoryBytes: 512 * 1024 ** 2 },
      gpus: ["GPU-1"],
    });
  });

  it.each([
    [
      "an impossible name",
      "a%20b",
      { model_uri: uri },
      /^Invalid model name\. The model name must start with/,
    ],
    [
      "an impossible name and nothing else",
      "_",
      undefined,
      /^Invalid model name\. The model name must start/,
    ],
    ["an impossible name before a wrong field", "_", { ttl: "soon" }, /^Invalid model name\./],
    ["no body", "foo", undefined, /^At least one of `tracking_id` or `model_uri` must be provided\.$/],
    ["nulls", "foo", { model_uri: null, tracking_id: null }, /^At least one of/],
    ["a blank address", "foo", { model_uri: " " }, /^At least one of/],
    ["a time to live of 0", "foo", { model_uri: uri, ttl: 0 }, /^TTL should be a number of seconds above 0/],
    ["one below -1", "foo", { model_uri: uri, ttl: -2 }, /^TTL should be a number of seconds above 0/],
    [
      "one beyond all time",
      "foo",
      { model_uri: uri, ttl: 1e15 },
      /^TTL should be a number of seconds above 0/,
    ],
  ])("refuse %s with 400", async (_, name, body, detail) => {
    const url = await opened();
    const answer = await post(url, name, body);
    expect(answer.status).toBe(400);
    expect(answer.json.detail).toMatch(detail);
    expect(double.deployments.size).toBe(0);
  });

  it("keep to the policy's times", async () => {
    const url = await opened({ manual: { maxTtlMs: 604_800_000 } });
    for (const ttl of [604_801, -1]) {
      const answer = await post(url, "foo", { model_uri: uri, ttl });
      expect(answer.status).toBe(400);
      expect(answer.json.detail).toBe("TTL exceeds maximum allowed value of 604800 seconds.");
    }
    const strict = await opened({ manual: { allowsTtl: false } });
    for (const ttl of [60, 0, -1]) {
      const answer = await post(strict, "foo", { model_uri: uri, ttl });
      expect(answer.status).toBe(403);
      expect(answer.json.detail).toBe(
        "TTL override is not allowed. Remove ttl parameter or contact administrator.",
      );
    }
    expect((await post(strict, "foo", { model_uri: uri })).status).toBe(200);
  });

  it("answer 404 for a model that the tracker does not know", async () => {
    const url = await opened({ requiresKnownUri: true });
    const unknownRun = await post(url, "foo", { tracking_id: "no-such-run" });
    expect(unknownRun.status).toBe(404);
    expect(unknownRun.json.detail).toBe("Model not found for tracking ID 'no-such-run'.");
    const unknownUri = await post(url, "foo", { model_uri: "invalid://uri" });
    expect(unknownUri.status).toBe(404);
    expect(unknownUri.json.detail).toBe(
      "Model URI 'invalid://uri' could not be validated. Model may not exist.",
    );
  });

  it.each<readonly [unknown, readonly (string | number)[], string]>([
    [{ ttl: "soon" }, ["ttl"], "int_parsing"],
    [{ ttl: 1.5 }, ["ttl"], "int_type"],
    [{ ttl: true }, ["ttl"], "int_type"],
    [{ model_uri: 7 }, ["model_uri"], "string_type"],
    [{ model_uri: "a\0" }, ["model_uri"], "value_error"],
    [{ model_uri: "x".repeat(10_240) }, ["model_uri"], "value_error"],
    [{ model_uri: uri, tracking_id: "\ud800" }, ["tracking_id"], "value_error"],
    [{ deploy: [] }, ["deploy"], "dict_type"],
    [{ deploy: { resource: {} } }, ["deploy", "resource"], "extra_forbidden"],
    [
      { deploy: { resources: { limits: { pids: 5 } } } },
      ["deploy", "resources", "limits", "pids"],
      "extra_forbidden",
    ],
    [
      { deploy: { resources: { limits: { memory: 4 } } } },
      ["deploy", "resources", "limits", "memory"],
      "string_type",
    ],
    [
      { deploy: { resources: { limits: { memory: "0" } } } },
      ["deploy", "resources", "limits", "memory"],
      "value_error",
    ],
    [
      { deploy: { resources: { limits: { cpus: "two" } } } },
      ["deploy", "resources", "limits", "cpus"],
      "value_error",
    ],
    [
      { deploy: { resources: { reservations: { devices: [{ capabilities: ["tpu"] }] } } } },
      ["deploy", "resources", "reservations", "devices"],
      "value_error",
    ],
    [
      { deploy: { resources: { reservations: { devices: [{ capabilities: ["gpu"], count: -1 }] } } } },
      ["deploy", "resources", "reservations", "devices"],
      "value_error",
    ],
    [
      { deploy: { resources: { reservations: { devices: [{ capabilities: ["gpu"], count: "few" }] } } } },
      ["deploy", "resources", "reservations", "devices", 0, "count"],
      "int_parsing",
    ],
  ])("refuse fields that are wrong with 422 (%#)", async (body, loc, type) => {
    const url = await opened();
    const answer = await post(url, "foo", { model_uri: uri, ...(body as object) });
    expect(answer.status).toBe(422);
    expect(answer.json.detail).toMatchObject([{ type, loc: ["body", ...loc] }]);
    expect(double.deployments.size).toBe(0);
  });

  it("tell the format of memory", async () => {
    const url = await opened();
    const deploy = { resources: { limits: { memory: "4x" } } };
    expect((await post(url, "foo", { model_uri: uri, deploy })).json.detail[0].msg).toBe(
      "Value error, Invalid memory format: 4x. Expected format like '4g', '512m', '2048m'",
    );
  });

  it("take no body that is none, and none beyond 64 KiB", async () => {
    const url = await opened();
    for (const [body, status] of [
      ["[]", 422],
      ["{", 422],
      [" ".repeat(70_000), 413],
    ] as const) {
      expect((await call(url, "/models/foo", { method: "POST", body })).status).toBe(status);
    }
  });

  it("share one deployment among equal wishes, and refuse others", async () => {
    const url = await opened();
    double.onDeploy = () => ({});
    setTimeout(() => double.change("foo", started), 60);
    const answers = await Promise.all([1, 2, 3].map(() => post(url, "foo", { model_uri: uri })));
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200]);
    for (const state of ["deploying", "ready", "failed"] as const) {
      double.change("foo", { state });
      const answer = await post(url, "foo", { model_uri: uri });
      expect(answer.status).toBe(409);
      expect(answer.json.detail).toBe(
        "Model 'foo' is already running, please choose a different name. You can list all available models at /models",
      );
    }
    double.change("foo", { state: "stopping" });
    const answer = await post(url, "foo", { model_uri: uri });
    expect(answer.status).toBe(409);
    expect(answer.json.detail).toContain("is being removed");
  });

  it("go on when they take longer than a caller is kept waiting", async () => {
    const url = await opened({}, { maxWaitMs: 30 });
    double.onDeploy = () => ({ state: "waiting", error: { code: "HOST_FULL", message: "no room" } });
    const answer = await post(url, "foo", { model_uri: uri });
    expect(answer.status).toBe(503);
    expect(answer.headers["retry-after"]).toBe("5");
    expect(answer.json).toMatchObject({
      state: "waiting",
      reason: { code: "HOST_FULL", message: "no room" },
    });
    expect(double.deployments.get("foo")?.state).toBe("waiting");
  });

  it.each(["IMAGE_MISSING", "REGISTRY_REFUSED", "OUT_OF_MEMORY", "SERVER_EXITED", "NEVER_READY"] as const)(
    "tell that they failed with %s",
    async (code) => {
      const url = await opened();
      double.onDeploy = () => failed(code, "in words");
      const answer = await post(url, "foo", { model_uri: uri });
      expect(answer.status).toBe(500);
      expect(answer.json).toMatchObject({
        detail: "Failed to deploy model 'foo'",
        reason: { code, message: "in words" },
        code,
      });
    },
  );

  it("refuse a name that somebody else's server has", async () => {
    const url = await opened();
    double.onDeploy = () => failed("NAME_TAKEN", "a container has this name");
    const answer = await post(url, "foo", { model_uri: uri });
    expect(answer.status).toBe(409);
    expect(answer.json).toMatchObject({
      code: "NAME_TAKEN",
      reason: { message: "a container has this name" },
    });
  });

  it("tell that they were removed while somebody waited", async () => {
    const url = await opened();
    double.onDeploy = () => {
      double.deployments.delete("foo");
      return {};
    };
    expect((await post(url, "foo", { model_uri: uri })).status).toBe(409);
  });

  it.each([
    ["DEPLOYER_UNAVAILABLE", 503, { "retry-after": "7" }],
    ["TRACKING_UNAVAILABLE", 503, { "retry-after": "7" }],
    ["STORE_UNAVAILABLE", 503, { "retry-after": "7" }],
    ["UNSUPPORTED", 501, {}],
    ["NO_ROOM", 422, {}],
  ] as const)("pass on %s", async (code, status, headers) => {
    const errors: unknown[] = [];
    const url = await opened({}, { onError: (error) => errors.push(error) });
    double.fault = new GatewayError(code, "secret: /var/run", {
      details: { field: "memoryBytes", retryAfterMs: 7_000 },
    });
    const answer = await post(url, "foo", { model_uri: uri });
    expect(answer.status).toBe(status);
    expect(answer.headers).toMatchObject(headers);
    expect(answer.json.code).toBe(code);
    if (status >= 500) expect(answer.text).not.toContain("secret");
    if (status === 503) expect(errors).toEqual([double.fault]);
    if (status === 422) {
      expect(answer.json.detail[0].loc).toEqual(["body", "deploy", "resources", "limits", "memory"]);
    }
  });

  it("are none where the gateway has no such part", async () => {
    const url = await opened({}, {}, { deployments: undefined });
    for (const [method, target] of [
      ["POST", "/models/foo"],
      ["DELETE", "/models/foo"],
      ["GET", "/models/foo/deployment"],
      ["GET", "/admin/on-demand"],
      ["POST", "/admin/on-demand/1/enable"],
    ] as const) {
      const answer = await call(url, target, { method, headers: KEY });
      expect(answer.status).toBe(404);
      expect(answer.json).toMatchObject({
        code: "UNSUPPORTED",
        detail: 'This gateway deploys no servers: it was made without the option "deployments".',
      });
    }
    expect((await call(url, "/models/foo", { method: "PUT" })).headers.allow).toBe("GET, POST, DELETE, HEAD");
  });
});
