import { memoryTracking } from "@modelgate/core/memory";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { requireService } from "../../../adapters-storage/test/support/services.ts";
import { call } from "../support/http-client.ts";
import { ready, stateOf } from "./support/callers.ts";
import { Installation, type OpenGateway, send } from "./support/installation.ts";
import { Watched } from "./support/watched.ts";

const socketPath = requireService("DOCKER_SOCKET") ?? "";
const image = requireService("DOCKER_TEST_IMAGE") ?? "";

const SHELL = `s3://a; touch /tmp/pwn # $(id) \`id\` \${HOME} $HOME && x || y | z > /tmp/pwn "double" 'single' \\ *?[a] !! ~ %s`;
const CONTROLS = "s3://a\nb\r\nc\td\u0001\u001b[31m\u007f/../../etc/passwd";
const UNICODE = `s3://модель-日本-🙂-e\u0301-\u202eabc-\ufeff-${"長".repeat(8_192)}`.slice(0, 8_192);
const HOSTILE_RUN = "run; $(id) '\"\n🙂";
const HOSTILE_TYPE = "medcat; touch /tmp/pwn\n$(id) 🙂";

/** As they stand in a path; a name of these characters cannot be one of a container. */
const NAMES = [
  "a;touch /tmp/pwn",
  "$(id)",
  "`id`",
  "a|b",
  "a'b\"c",
  "a\nb",
  "a\u0000b",
  "модель",
  "🙂",
  "-rf",
  ".hidden",
  "a b",
  "a\\b",
  "a:b@c",
  "a".repeat(256),
  "a".repeat(10_240),
  "../../etc",
  "a/b",
];

describe.skipIf(socketPath === "")("hostile input for deployments on a Docker Engine", () => {
  let installation: Installation;
  let gateway: OpenGateway;
  let url: string;
  let engine: Watched;

  beforeAll(async () => {
    installation = await Installation.open({
      ...{ socketPath, image },
      deployments: {
        maxConcurrent: 8,
        tracking: memoryTracking([{ uri: SHELL, type: HOSTILE_TYPE, runId: HOSTILE_RUN }]),
      },
    });
    gateway = await installation.gateway();
    url = gateway.url;
    engine = new Watched(installation);
  }, 30_000);
  afterAll(() => installation?.close(), 30_000);

  const post = (model: string, body: unknown) => send(url, "POST", `/models/${model}`, body);

  it.concurrent.each([
    ["shell", { model_uri: SHELL }, SHELL, HOSTILE_TYPE],
    ["controls", { model_uri: CONTROLS }, CONTROLS, "medcat_umls"],
    ["unicode", { model_uri: UNICODE }, UNICODE, "medcat_umls"],
    ["run", { tracking_id: HOSTILE_RUN }, SHELL, HOSTILE_TYPE],
  ])(
    "hands %s on byte by byte",
    async (name, body, uri, type) => {
      const model = installation.model(name);
      const answer = await post(model, body);
      expect(answer.status, answer.text).toBe(200);
      expect(answer.json.model_uri).toBe(uri);
      await ready(url, model);
      const { Config, HostConfig } = await engine.inspect(model);
      const program = ["/usr/bin/node", "/app/test-server.mjs"];
      const args = ["--model-type", type, "--model-name", model, "--mlflow-model-uri", uri];
      expect(Config).toMatchObject({ Entrypoint: [...program, ...args] });
      expect(Config.Labels).toMatchObject({ "org.cogstack.model-serve.uri": uri, "people.uri": uri });
      expect(HostConfig).toMatchObject({ Privileged: false, CapAdd: null, Binds: null });
      const told = (await call(await engine.addressOf(model), "/argv")).json;
      expect(told.argv).toEqual(args);
      expect(told.env).toMatchObject({ CMS_MODEL_NAME: model, MODEL_URI: uri });
      expect((await call(url, `/models/${model}/deployment`)).json.model_uri).toBe(uri);
      expect((await call(url, `/models/${model}`)).json.uri).toBe(uri);
      expect((await send(url, "DELETE", `/models/${model}`)).status).toBe(204);
    },
    60_000,
  );

  it.concurrent.each(NAMES.map((name) => [JSON.stringify(name.slice(0, 40)), name]))(
    "refuses a name that begins with %s",
    async (_shown, name) => {
      const path = encodeURIComponent(name);
      const answer = await post(path, { model_uri: "test:/" });
      // Beyond some length no path is read at all.
      if (name.length > 8_192) expect([400, 414, 431]).toContain(answer.status);
      else {
        expect(answer.status, answer.text).toBe(400);
        expect(answer.json.detail).toMatch(/^Invalid model name\. /);
      }
      const wish = { model_name: name, model_uri: "test:/" };
      const configured = await send(url, "POST", "/admin/on-demand", wish);
      expect(configured.status).toBe(400);
      expect(configured.json.detail).toContain("\nmodel_name\n");
      for (const method of ["GET", "DELETE"]) {
        const status = (await send(url, method, `/models/${path}`)).status;
        expect([400, 404, 414, 422, 431], `${method} ${status}`).toContain(status);
      }
    },
  );

  it.each([
    ["/models/..", "/models/%2e%2e", "/models/../admin/on-demand", "/models/a%2f..%2fb", "/models/%00"],
  ])("refuses paths that lead elsewhere", async (...paths) => {
    for (const path of paths) {
      const { status } = await send(url, "POST", path, { model_uri: "test:/" });
      expect([400, 404], `${path}: ${status}`).toContain(status);
    }
  });

  it.each<[string, string, object]>([
    ["an address of 10 KB", "model_?uri", { model_uri: `s3://${"x".repeat(10_240)}` }],
    ["an address with a NUL", "model_?uri", { model_uri: "s3://a\u0000b" }],
    ["an address with half a character", "model_?uri", { model_uri: "s3://a\ud800b" }],
    ["an address that is none", "model_uri", { model_uri: ["s3://a"] }],
    ["a run of 10 KB", "tracking_?id", { tracking_id: "x".repeat(10_240) }],
    ["a run with a NUL", "tracking_?id", { tracking_id: "a\u0000b" }],
    ["a time that is none", "ttl", { model_uri: "s3://a", ttl: "1; rm" }],
    ["memory that is none", "memory", resources({ limits: { memory: "64m; rm -rf /" } })],
    ["CPUs that are none", "cpus", resources({ limits: { cpus: "$(nproc)" } })],
    ["CPUs beyond the host", "cpus", resources({ limits: { cpus: "4000" } })],
    ["a card with a space", "gpus|device", card(["0; rm"])],
    ["a card of 10 KB", "gpus|device", card(["0".repeat(10_240)])],
    ["a limit that nobody has", "pids", resources({ limits: { pids: 1 } })],
    ["what Docker would take", "privileged", { model_uri: "s3://a", deploy: { privileged: true } }],
  ])("refuses %s, and names the field", async (_what, field, body) => {
    const model = installation.model("refused");
    const { status, text } = await post(model, body);
    expect([400, 422, 500], text).toContain(status);
    if (status === 500) expect(text).toContain('"code":"INVALID_REQUEST"');
    expect(text).toMatch(new RegExp(field, "i"));
    expect(text.length, "what was sent is not repeated").toBeLessThan(1_000);
    if (status === 500) await send(url, "DELETE", `/models/${model}?force=true`);
    expect(await stateOf(url, model)).toBe(404);
    expect((await engine.names()).filter((name) => name === model)).toEqual([]);
  });

  it("takes no image, command, environment, label or volume from a caller", async () => {
    const model = installation.model("plain");
    const evil = {
      ...{ image: "evil", Image: "evil", command: ["sh", "-c", "id"], Entrypoint: ["sh"], network: "host" },
      ...{ env: { EVIL: "1" }, labels: { "modelgate.installation": "evil" }, user: "0" },
      ...{ volumes: ["/:/host"], HostConfig: { Privileged: true, Binds: ["/:/host"] } },
    };
    const answer = await post(model, { model_uri: "s3://a", ...evil });
    expect(answer.status, answer.text).toBe(200);
    const { Config, HostConfig, NetworkSettings } = await engine.inspect(answer.json.container_id);
    expect(Config).toMatchObject({ Image: image });
    expect(JSON.stringify({ Config, NetworkSettings })).not.toMatch(/evil|"sh"|EVIL/);
    expect(HostConfig).toMatchObject({ Privileged: false, Binds: null, NetworkMode: installation.network });
    expect((await send(url, "DELETE", `/models/${model}`)).status).toBe(204);
  }, 30_000);

  it("keeps any description as it is", async () => {
    const description = `${SHELL}${CONTROLS}🙂`;
    const wish = { model_name: installation.model("told"), model_uri: "s3://a", description };
    expect((await send(url, "POST", "/admin/on-demand", wish)).json.description).toBe(description);
    const long = await send(url, "POST", "/admin/on-demand", { ...wish, description: "x".repeat(20_000) });
    expect(long.status).toBe(422);
    expect(long.json.detail[0].loc).toEqual(["body", "description"]);
  });
});

function resources(parts: object): object {
  return { model_uri: "s3://a", deploy: { resources: parts } };
}

function card(ids: readonly string[]): object {
  return resources({ reservations: { devices: [{ device_ids: ids, capabilities: ["gpu"] }] } });
}
