import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { pushedImage } from "../../../adapters-docker/test/deployer/fixture.ts";
import { type Asked, EngineProxy } from "../../../adapters-docker/test/deployer/support/proxy.ts";
import { requireService } from "../../../adapters-storage/test/support/services.ts";
import { call } from "../support/http-client.ts";
import { ended, namesOf, ready, submitted, TRAINING, until } from "./support/callers.ts";
import { Installation, send } from "./support/installation.ts";
import { Watched } from "./support/watched.ts";

const socketPath = requireService("DOCKER_SOCKET") ?? "";
const image = requireService("DOCKER_TEST_IMAGE") ?? "";
const registry = requireService("DOCKER_REGISTRY") ?? "";

/** A table of the reference, as whoever writes a filter for the engine's socket reads it. */
function documented(title: string): (asked: Asked) => boolean {
  const page = readFileSync(new URL("../../../../docs/reference/docker.md", import.meta.url), "utf8");
  const section = page.split(`## ${title}`)[1]?.split("\n## ")[0] ?? "";
  const calls = [...section.matchAll(/^\| `(GET|POST|DELETE) (\/\S+)`/gm)].map(([, method, path = ""]) => ({
    method,
    pattern: new RegExp(`^${path.replaceAll(/\{\w+\}/g, "[^/]+")}$`),
  }));
  expect(calls.length).toBeGreaterThan(4);
  return ({ method, path }) => calls.some((one) => one.method === method && one.pattern.test(path));
}

describe.skipIf(socketPath === "")("a gateway behind a filter of the engine's socket", () => {
  let installation: Installation;
  let engine: Watched;
  let server: string;

  beforeAll(async () => {
    installation = await Installation.open({ socketPath, image });
    engine = new Watched(installation);
    server = await installation.api.run(installation.model("static"), {
      Image: image,
      Labels: {
        "com.docker.compose.project": installation.id,
        "com.docker.compose.service": installation.model("static"),
        "org.cogstack.model-serve": "medcat_umls",
      },
      HostConfig: { NetworkMode: installation.network },
    });
  }, 30_000);
  afterAll(() => installation?.close(), 30_000);

  async function filtered(isAllowed: (asked: Asked) => boolean): Promise<EngineProxy> {
    const proxy = await EngineProxy.start(socketPath);
    proxy.isAllowed = isAllowed;
    onTestFinished(() => proxy.close());
    return proxy;
  }

  it.each([
    ["that only looks at deployments", 501, {}],
    ["that knows of none", 404, { deployments: undefined }],
  ])(
    "%s finds servers, sends them tasks, and changes nothing, whatever is asked of it",
    async (_what, refusal, gateway) => {
      const proxy = await filtered(documented("What is asked of the engine"));
      const found = { socketPath: proxy.socketPath, listIntervalMs: 200 };
      const { url, close, faults } = await installation.gateway({
        deployer: false,
        discovery: found,
        gateway,
      });
      const before = await engine.states();
      const model = installation.model("static");
      await until(
        async () => namesOf(await call(url, "/models/"), "running"),
        (names) => names.includes(model),
      );
      expect((await ended(url, await submitted(url, model))).status).toBe("succeeded");
      expect((await ended(url, await submitted(url, model, TRAINING))).status).toBe("succeeded");
      expect((await call(url, `/models/${model}/info`)).status).toBe(200);
      const other = installation.model("other");
      const post = await send(url, "POST", `/models/${other}`, { model_uri: "s3://x" });
      expect({ status: post.status, code: post.json.code }).toEqual({ status: refusal, code: "UNSUPPORTED" });
      for (const path of [`/models/${model}`, `/models/${model}?force=true`, `/models/${other}?force=true`]) {
        expect([204, 403, 404]).toContain((await send(url, "DELETE", path)).status);
      }
      // The engine's own doings are seen all the same.
      await installation.api.need("POST", `/containers/${server}/restart?t=1`);
      await until(
        () => engine.state(server),
        ({ status, startedAt }) => status === "running" && startedAt !== before[0]?.startedAt,
      );
      await until(
        async () => namesOf(await call(url, "/models/"), "running"),
        (names) => names.includes(model),
      );
      await close();
      expect((await engine.states()).map(({ id }) => id)).toEqual(before.map(({ id }) => id));
      expect(proxy.asked.filter((asked) => !proxy.isAllowed(asked))).toEqual([]);
      expect(new Set(proxy.asked.map(({ method }) => method))).toEqual(new Set(["GET"]));
      expect(proxy.count("GET", /^\/containers\/json$/)).toBeGreaterThan(1);
      expect(faults).toEqual([]);
    },
    40_000,
  );

  it("deploys, pulls, fails, is looked at, recovers and removes by the documented calls alone", async () => {
    const isRead = documented("What is asked of the engine");
    const isWritten = documented("Calls that deploying needs");
    const proxy = await filtered((asked) => isRead(asked) || isWritten(asked));
    const username = process.env["DOCKER_REGISTRY_USER"] ?? "";
    const password = process.env["DOCKER_REGISTRY_PASSWORD"] ?? "";
    const credentials = { registries: { [registry]: { username, password } } };
    const through = {
      discovery: { socketPath: proxy.socketPath },
      deployer: { socketPath: proxy.socketPath, ...credentials },
    };
    const first = await installation.gateway(through);
    const pulled = await pushedImage(installation.api);
    onTestFinished(async () => void (await installation.api.call("DELETE", `/images/${pulled}?force=1`)));
    const [manual, auto, failing] = ["manual", "auto", "failing"].map((name) => installation.model(name)) as [
      string,
      string,
      string,
    ];
    const { url } = first;
    const posted = await send(url, "POST", `/models/${manual}`, { model_uri: `test:/?image=${pulled}` });
    expect(posted.status, posted.text).toBe(200);
    await ready(url, manual);
    const wishes: [string, string][] = [
      [auto, "test:/"],
      [failing, "test:/?NEVER_READY=1&EXIT_AFTER_MS=50"],
    ];
    for (const [name, uri] of wishes) {
      const wish = { model_name: name, model_uri: uri, idle_ttl: 2 };
      expect((await send(url, "POST", "/admin/on-demand", wish)).status).toBe(201);
    }
    expect((await ended(url, await submitted(url, auto))).status).toBe("succeeded");
    expect((await ended(url, await submitted(url, failing))).status).toBe("failed");
    for (const name of [manual, failing]) {
      const { json } = await send(url, "GET", `/models/${name}/deployment?logs=5`);
      expect(json.logs.length).toBeGreaterThan(0);
    }
    await first.close();
    const second = await installation.gateway(through);
    await installation.api.need("POST", `/containers/${manual}/kill`);
    await until(
      async () => (await engine.state(manual)).status,
      (status) => status === "running",
    );
    await ready(second.url, manual);
    await until(
      () => engine.names(),
      (names) => !names.includes(auto),
    );
    expect((await send(second.url, "DELETE", `/models/${manual}`)).status).toBe(204);
    expect(await engine.names()).toEqual([installation.model("static")]);
    expect(proxy.asked.filter((asked) => !proxy.isAllowed(asked))).toEqual([]);
    expect(new Set(proxy.asked.map(({ method }) => method))).toEqual(new Set(["GET", "POST", "DELETE"]));
    await second.close();
  }, 60_000);
});
