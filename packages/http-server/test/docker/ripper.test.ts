import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { requireService } from "../../../adapters-storage/test/support/services.ts";
import { ended, namesOf, ready, stateOf, submitted, TRAINING, until } from "./support/callers.ts";
import { Installation, type OpenGateway, send } from "./support/installation.ts";
import { Watched } from "./support/watched.ts";

const socketPath = requireService("DOCKER_SOCKET") ?? "";
const image = requireService("DOCKER_TEST_IMAGE") ?? "";

// When servers are removed, and when not, on a real engine. Two gateways look after them at once.
describe.skipIf(socketPath === "")("the reaper on a Docker Engine", () => {
  let installation: Installation;
  let gateway: OpenGateway;
  let url: string;
  let engine: Watched;

  beforeAll(async () => {
    installation = await Installation.open({ socketPath, image, deployments: { maxConcurrent: 8 } });
    [gateway] = await Promise.all([installation.gateway(), installation.gateway()]);
    url = gateway.url;
    engine = new Watched(installation);
  }, 30_000);
  afterAll(() => installation?.close(), 30_000);

  async function onDemand(name: string, uri: string, idleTtl: number): Promise<string> {
    const model = installation.model(name);
    const body = { model_name: model, model_uri: uri, idle_ttl: idleTtl };
    expect((await send(url, "POST", "/admin/on-demand", body)).status).toBe(201);
    return model;
  }

  const isThere = async (model: string): Promise<boolean> => (await engine.names()).includes(model);

  /** Resolves to the time at which the container was gone. */
  async function gone(model: string): Promise<number> {
    await until(
      () => isThere(model),
      (is) => !is,
      20_000,
    );
    return Date.now();
  }

  it.concurrent("ends a deployment when its time is over, however busy it is, and never one that is to stay", async () => {
    const [brief, forever] = [installation.model("brief"), installation.model("forever")];
    const [first] = await Promise.all([
      send(url, "POST", `/models/${brief}`, { model_uri: "test:/", ttl: 3 }),
      send(url, "POST", `/models/${forever}`, { model_uri: "test:/", ttl: -1 }),
    ]);
    expect(first.json.ttl).toBe(3);
    await Promise.all([ready(url, brief), ready(url, forever)]);
    const { json } = await send(url, "GET", `/models/${brief}/deployment`);
    expect(Date.parse(json.expires_at) - Date.parse(json.ready_at)).toBe(3_000);
    // Its use makes it stay no longer.
    for (const untilMs = Date.now() + 2_000; Date.now() < untilMs; await sleep(100)) {
      expect((await ended(url, await submitted(url, brief))).status).toBe("succeeded");
    }
    const goneAtMs = await gone(brief);
    expect(goneAtMs).toBeGreaterThanOrEqual(Date.parse(json.expires_at));
    expect(goneAtMs).toBeLessThan(Date.parse(json.expires_at) + 6_000);
    await until(
      () => stateOf(url, brief),
      (state) => state === 404,
    );
    const running = namesOf(await send(url, "GET", "/models/"), "running");
    expect(running).toContain(forever);
    expect(running).not.toContain(brief);
    expect((await send(url, "GET", `/models/${forever}/deployment`)).json).not.toHaveProperty("expires_at");
    expect((await send(url, "DELETE", `/models/${forever}`)).status).toBe(204);
  }, 60_000);

  it.concurrent("counts idle time from the last use, whoever sees it, and deploys anew when the model is asked for again", async () => {
    const model = await onDemand("idle", "test:/", 2);
    expect((await ended(url, await submitted(url, model))).status).toBe("succeeded");
    const first = await engine.state(model);
    // Longer than the idle time altogether, and never so long without a task.
    for (const untilMs = Date.now() + 4_000; Date.now() < untilMs; await sleep(1_000)) {
      expect((await ended(url, await submitted(url, model))).status).toBe("succeeded");
    }
    expect(await engine.state(model)).toEqual(first);
    const usedAtMs = Date.now() - 1_000;
    const idleMs = (await gone(model)) - usedAtMs;
    expect(idleMs).toBeGreaterThanOrEqual(2_000);
    expect(idleMs).toBeLessThan(9_000);
    await until(
      async () => namesOf(await send(url, "GET", "/models/"), "on_demand"),
      (names) => names.includes(model),
    );
    expect((await ended(url, await submitted(url, model))).status).toBe("succeeded");
    expect(await engine.created(model)).toBe(2);
  }, 60_000);

  it.concurrent("leaves a server whose training is longer than its idle time, and takes it afterwards", async () => {
    const model = await onDemand("training", "test:/?RUN_MS=5000", 1);
    const id = await submitted(url, model, TRAINING);
    const task = await ended(url, id);
    expect(task, JSON.stringify(task)).toMatchObject({ status: "succeeded" });
    expect(Date.parse(task.finished_at) - Date.parse(task.started_at)).toBeGreaterThan(4_500);
    expect(await engine.created(model)).toBe(1);
    await gone(model);
  }, 60_000);

  it.concurrent("leaves a server for which a task waits longer than the idle time", async () => {
    const model = await onDemand("waiting", "test:/?PROCESS_MS=3000&slots=1", 1);
    const ids = await Promise.all([submitted(url, model), submitted(url, model)]);
    const tasks = await Promise.all(ids.map((id) => ended(url, id)));
    expect(tasks.map(({ status }) => status)).toEqual(["succeeded", "succeeded"]);
    const [one, two] = tasks.map(({ started_at }) => Date.parse(started_at)).sort() as [number, number];
    expect(two - one, "one waited for the other").toBeGreaterThanOrEqual(2_900);
    expect(await engine.created(model)).toBe(1);
    await gone(model);
  }, 60_000);
});
