import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { pushedImage } from "../../../adapters-docker/test/deployer/fixture.ts";
import { requireService } from "../../../adapters-storage/test/support/services.ts";
import { call } from "../support/http-client.ts";
import { ended, ready, submitted, until } from "./support/callers.ts";
import { Installation, type OpenGateway, send } from "./support/installation.ts";
import { SECRET } from "./support/template.ts";
import { Watched } from "./support/watched.ts";

const socketPath = requireService("DOCKER_SOCKET") ?? "";
const image = requireService("DOCKER_TEST_IMAGE") ?? "";
const registry = requireService("DOCKER_REGISTRY") ?? "";
const [username, password] = [
  process.env["DOCKER_REGISTRY_USER"] ?? "",
  process.env["DOCKER_REGISTRY_PASSWORD"] ?? "",
];

const IN_TIME = "NEVER_READY=1&PRINT_SECRET=1";

/** Each fails in its own way; those with a `log` after their container ran. */
const FAILURES = [
  {
    ...{ name: "greedy", code: "OUT_OF_MEMORY", words: /more memory/, log: "listening" },
    uri: `test:/?${IN_TIME}&ALLOCATE_MB=200&ALLOCATE_AFTER_MS=300`,
    deploy: { resources: { limits: { memory: "64m" } } },
  },
  {
    ...{ name: "missing", code: "IMAGE_MISSING", words: /no such image/ },
    uri: `test:/?image=${registry}/modelgate/no-such-image:1`,
  },
  {
    ...{ name: "refused", code: "REGISTRY_REFUSED", words: /credentials/ },
    uri: `test:/?image=${registry}/modelgate/refused:1`,
  },
  {
    ...{ name: "exiting", code: "SERVER_EXITED", words: /exit code 7/, log: "environment" },
    uri: `test:/?${IN_TIME}&EXIT_AFTER_MS=100&EXIT_CODE=7`,
  },
  {
    ...{ name: "never", code: "NEVER_READY", words: /not ready within 5 seconds/, log: "listening" },
    uri: `test:/?${IN_TIME}`,
  },
] as const;

describe.skipIf(socketPath === "")("a server that cannot be started on a Docker Engine", () => {
  let installation: Installation;
  /** Of another installation, whose gateway has no credentials. */
  let strangers: Installation;
  let gateway: OpenGateway;
  let bare: OpenGateway;
  let engine: Watched;

  beforeAll(async () => {
    const deployments = { readyTimeoutMs: 5_000, maxConcurrent: 8, failedRetryMs: 60_000 };
    const common = { socketPath, image, deployments };
    installation = await Installation.open({
      ...common,
      deployer: { registries: { [registry]: { username, password } } },
    });
    strangers = await Installation.open({ ...common, beside: installation });
    [gateway, bare] = await Promise.all([installation.gateway(), strangers.gateway()]);
    engine = new Watched(installation);
  }, 30_000);
  afterAll(async () => {
    await strangers?.close();
    await installation?.close();
  }, 30_000);

  it.concurrent.each(FAILURES)(
    "says $code in the task, the deployment and the answers",
    async (failure) => {
      const { code, words, uri } = failure;
      const { url } = code === "REGISTRY_REFUSED" ? bare : gateway;
      const deploy = "deploy" in failure ? failure.deploy : null;
      const reason = { code, message: expect.stringMatching(words) };

      const model = installation.model(failure.name);
      const wish = { model_name: model, model_uri: uri, deploy };
      expect((await send(url, "POST", "/admin/on-demand", wish)).status).toBe(201);
      const task = await ended(url, await submitted(url, model));
      expect(task).toMatchObject({ status: "failed", error_message: expect.stringMatching(words) });
      const path = (name: string): string => `/models/${name}/deployment`;
      const failed = async (name: string) => {
        const { json } = await until(
          () => call(url, path(name)),
          (answer) => answer.json.state === "failed",
        );
        return json;
      };
      expect(await failed(model)).toMatchObject({ deployment_type: "auto", failures: 1, reason });

      // The same asked for by a person.
      const manual = `${model}-manual`;
      const answer = await send(url, "POST", `/models/${manual}`, { model_uri: uri, deploy });
      if ("log" in failure) expect(answer.status, "it was started, and nobody waits for more").toBe(200);
      else {
        expect(answer.status).toBe(500);
        expect(answer.json).toMatchObject({ detail: `Failed to deploy model '${manual}'`, code, reason });
      }
      expect(await failed(manual)).toMatchObject({ deployment_type: "manual", failures: 1, reason });
      expect((await send(url, "GET", `/models/${manual}`)).status).toBe(404);

      if ("log" in failure) {
        expect((await call(url, `${path(manual)}?logs=50`)).status, "without the key").toBe(403);
        const logs = JSON.stringify((await send(url, "GET", `${path(manual)}?logs=50`)).json.logs);
        expect(logs).toContain(failure.log);
        expect(logs).toContain("A_VALUE");
        expect(logs).not.toContain(SECRET);
      }
      expect((await engine.names()).filter((name) => name.includes(failure.name))).toEqual([]);
      expect((await send(url, "DELETE", `/models/${manual}`)).json.detail).toBe(
        `Model '${manual}' is not currently running. Use force=true to remove stopped containers.`,
      );
      expect((await send(url, "DELETE", `/models/${manual}?force=true`)).status).toBe(204);
      expect((await call(url, path(manual))).status).toBe(404);
    },
    60_000,
  );

  it("is tried as often as was said, and no more are started at once than may be", async () => {
    const careful = await Installation.open({
      ...{ socketPath, image, beside: installation },
      deployments: { attempts: 2, maxConcurrent: 1, retryMs: 50, failedRetryMs: 60_000 },
    });
    try {
      const { url } = await careful.gateway();
      const failing = careful.model("twice");
      const wish = { model_name: failing, model_uri: "test:/?NEVER_READY=1&EXIT_AFTER_MS=50" };
      expect((await send(url, "POST", "/admin/on-demand", wish)).status).toBe(201);
      expect((await ended(url, await submitted(url, failing))).status).toBe("failed");
      expect((await call(url, `/models/${failing}/deployment`)).json.failures).toBe(2);
      expect(await engine.created(failing)).toBe(2);

      const models = ["one", "two", "three"].map((name) => careful.model(name));
      const body = { model_uri: "test:/?START_DELAY_MS=500" };
      await Promise.all(models.map((model) => send(url, "POST", `/models/${model}`, body)));
      await Promise.all(models.map((model) => ready(url, model)));
      const times = await Promise.all(
        models.map(async (model) => ({
          startedAt: (await engine.state(model)).startedAt,
          readyAt: (await call(url, `/models/${model}/deployment`)).json.ready_at,
        })),
      );
      times.sort((one, other) => Date.parse(one.startedAt) - Date.parse(other.startedAt));
      for (const [at, { startedAt }] of times.slice(1).entries()) {
        expect(Date.parse(startedAt)).toBeGreaterThanOrEqual(Date.parse(times[at]?.readyAt));
      }
      await Promise.all(models.map((model) => send(url, "DELETE", `/models/${model}`)));
    } finally {
      await careful.close();
    }
  }, 60_000);

  it("tells the digest of an image that was pulled, and what a server writes to administrators only", async () => {
    const pulled = await pushedImage(installation.api);
    try {
      const model = installation.model("pulled");
      const body = { model_uri: `test:/?image=${pulled}&PRINT_SECRET=1` };
      expect((await send(gateway.url, "POST", `/models/${model}`, body)).status).toBe(200);
      await ready(gateway.url, model);
      const path = `/models/${model}/deployment`;
      const { text, json } = await call(gateway.url, path);
      expect(json.image_digest).toMatch(/^sha256:[0-9a-f]{64}$/);
      expect(text).not.toContain(SECRET);
      expect(json).not.toHaveProperty("logs");
      expect((await call(gateway.url, `${path}?logs=9`)).status).toBe(403);
      const { logs } = (await send(gateway.url, "GET", `${path}?logs=2`)).json;
      expect(logs.map((line: { text: string }) => JSON.parse(line.text).event)).toEqual([
        "listening",
        "ready",
      ]);
      const all = JSON.stringify((await send(gateway.url, "GET", `${path}?logs=9`)).json.logs);
      expect(all).toContain("A_VALUE");
      expect(all).not.toContain(SECRET);
      expect((await send(gateway.url, "DELETE", `/models/${model}`)).status).toBe(204);
    } finally {
      await installation.api.call("DELETE", `/images/${pulled}?force=1`);
    }
  }, 60_000);
});
