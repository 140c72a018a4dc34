import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type OwnEngine, startEngine } from "../../../adapters-docker/test/support/own-engine.ts";
import { requireService } from "../../../adapters-storage/test/support/services.ts";
import { call } from "../support/http-client.ts";
import { ended, namesOf, ready, stateOf, submitted, TRAINING, until } from "./support/callers.ts";
import { Installation, type OpenGateway, send } from "./support/installation.ts";
import { type State, Watched } from "./support/watched.ts";

const isThere = requireService("DOCKER_SOCKET") !== undefined;

// An engine of its own, which is stopped, and whose host loses its power. The gateway runs on, as on another host.
describe.skipIf(!isThere)("a Docker Engine that starts again", () => {
  let docker: OwnEngine;
  let installation: Installation;
  let gateway: OpenGateway;
  let url: string;
  let engine: Watched;
  let manual: string;
  let auto: string;
  let stranger: string;

  beforeAll(async () => {
    docker = await startEngine(false);
    const image = docker.env["DOCKER_TEST_IMAGE"] ?? "";
    const deployments = { attempts: 3, maxConcurrent: 8 };
    installation = await Installation.open({ socketPath: docker.socket, image, deployments });
    engine = new Watched(installation);
    gateway = await installation.gateway();
    url = gateway.url;
    [manual, auto, stranger] = ["manual", "auto", "stranger"].map((name) => installation.model(name)) as [
      string,
      string,
      string,
    ];
    await installation.api.run(stranger, {
      Image: image,
      Labels: { "com.docker.compose.project": installation.id },
    });
    const wish = { model_name: auto, model_uri: "test:/?RUN_MS=100", idle_ttl: 600 };
    expect((await send(url, "POST", "/admin/on-demand", wish)).status).toBe(201);
    const body = { model_uri: "test:/", ttl: 600 };
    expect((await send(url, "POST", `/models/${manual}`, body)).status).toBe(200);
    await ready(url, manual);
  }, 60_000);
  afterAll(async () => {
    await installation?.close();
    await docker?.close();
  }, 60_000);

  /** What becomes of both kinds of deployments, and of tasks that come meanwhile. */
  async function survives(outage: () => Promise<void>, restart: () => Promise<void>): Promise<void> {
    expect((await ended(url, await submitted(url, auto))).status).toBe("succeeded");
    // What has never been ready and ends has failed.
    await ready(url, auto);
    const [before, autoBefore] = await Promise.all([engine.state(manual), engine.state(auto)]);
    const { expires_at } = (await call(url, `/models/${manual}/deployment`)).json;
    const strangerBefore = await engine.state(stranger);
    const made = await engine.created(auto);
    await outage();
    // The engine is away: tasks are taken all the same, and what needs it says so.
    const waiting = await Promise.all([manual, auto].map((model) => submitted(url, model)));
    await restart();
    await installation.api.need("GET", "/_ping");

    const tasks = await Promise.all(waiting.map((id) => ended(url, id, 40_000)));
    expect(tasks.map(({ status, error_message }) => [status, error_message])).toEqual([
      ["succeeded", null],
      ["succeeded", null],
    ]);
    await Promise.all([manual, auto].map((model) => ready(url, model)));
    const after: State = await engine.state(manual);
    expect(after, "the engine has started it again").toEqual({
      ...before,
      startedAt: expect.not.stringMatching(before.startedAt),
    });
    expect((await call(url, `/models/${manual}/deployment`)).json).toMatchObject({
      ...{ state: "ready", expires_at, container_id: before.id },
    });
    expect((await engine.state(auto)).id, "it was deployed anew").not.toBe(autoBefore.id);
    expect((await engine.names()).sort()).toEqual([auto, manual, stranger].sort());
    expect(await engine.state(stranger)).toMatchObject({ id: strangerBefore.id, status: "exited" });
    await installation.api.need("POST", `/containers/${stranger}/start`);
    expect(namesOf(await call(url, "/models/"), "running").sort()).toEqual([auto, manual].sort());
    expect(made).toBeGreaterThan(0);
  }

  it("has the manual ones again, and auto ones when they are asked for, after it was stopped", async () => {
    await survives(
      () => docker.stop(),
      () => docker.start(),
    );
  }, 90_000);

  it("starts the manual ones by itself, before any gateway looks, and a gateway goes on with them", async () => {
    expect((await ended(url, await submitted(url, auto))).status).toBe("succeeded");
    await ready(url, auto);
    await gateway.close();
    await docker.stop();
    await docker.start();
    const [after, autoAfter] = [
      await until(
        () => engine.state(manual),
        ({ status }) => status === "running",
      ),
      await engine.state(auto),
    ];
    expect(autoAfter.status, "nobody asked for it").toBe("exited");
    gateway = await installation.gateway();
    url = gateway.url;
    await until(
      () => engine.names(),
      (names) => !names.includes(auto),
    );
    await ready(url, manual);
    expect((await ended(url, await submitted(url, manual))).status).toBe("succeeded");
    expect(await engine.state(manual)).toEqual(after);
    await installation.api.need("POST", `/containers/${stranger}/start`);
  }, 60_000);

  it("has them again after its host lost its power", async () => {
    await survives(
      () => docker.crashHost(),
      () => docker.start(),
    );
  }, 90_000);

  it("forgets an auto one for which nobody asks meanwhile, and ends what is removed while it is away", async () => {
    expect((await ended(url, await submitted(url, auto, TRAINING))).status).toBe("succeeded");
    await ready(url, auto);
    await docker.stop();
    const [deployed, removed] = await Promise.all([
      send(url, "POST", `/models/${installation.model("new")}`, { model_uri: "test:/" }),
      send(url, "DELETE", `/models/${manual}`),
    ]);
    for (const { status, headers } of [deployed, removed]) {
      expect(status).toBe(503);
      expect(Number(headers["retry-after"])).toBeGreaterThan(0);
    }
    await docker.start();
    await until(
      () => stateOf(url, auto),
      (state) => state === 404,
      30_000,
    );
    expect(namesOf(await call(url, "/models/"), "on_demand")).toEqual([auto]);
    expect(await engine.names()).not.toContain(auto);
  }, 90_000);
});
