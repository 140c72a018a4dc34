import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { requireService } from "../../../adapters-storage/test/support/services.ts";
import { SHARED_STORES } from "../command/test-stores.ts";
import { type BuiltCommand, buildCommand } from "../support/build-command.ts";
import { type Answer, call } from "../support/http-client.ts";
import { ended, type Sent, send, submit, submitted } from "./callers.ts";
import { createTrackedRun, type TrackedRun } from "./tracked-run.ts";
import { openWorld, type World } from "./world.ts";

// The scenarios of deployments and on-demand models by which CogStack's own gateway is tested, by HTTP alone: on a real
// engine, and with a real MLflow that knows the run of a model.

const mlflow = requireService("MLFLOW_URL") ?? "";
const socket = requireService("DOCKER_SOCKET") ?? "";
const image = process.env["DOCKER_TEST_IMAGE"] ?? "";

const PROCESS: Sent = { task: "process", contentType: "text/plain", body: "John Smith was seen." };
const FULL = { limits: { cpus: "1", memory: "512m" }, reservations: { memory: "256m" } };

describe.skipIf(mlflow === "" || socket === "")("the scenarios of models", () => {
  let built: BuiltCommand;
  let world: World;
  let url: string;
  let tracked: TrackedRun;

  beforeAll(async () => {
    [built, tracked] = await Promise.all([buildCommand(), createTrackedRun(mlflow)]);
    const [store] = SHARED_STORES;
    if (store === undefined) throw new Error("there is no store");
    world = await openWorld({
      ...{ file: built.file, store: await store.make(), servers: {}, engine: { socket, image } },
      settings: { mlflow: { url: mlflow }, openConfigurations: true },
      deployments: { manual: { requiresKnownUri: true } },
    });
    url = world.url;
  }, 60_000);
  afterAll(() => Promise.all([world?.close(), built?.remove()]));

  const model = (name: string): string => `${world.part?.id}-${name}`;
  const ask = (method: string, path: string, body?: unknown): Promise<Answer> => {
    const headers = { "content-type": "application/json" };
    return call(url, path, { method, headers, ...(body !== undefined && { body: JSON.stringify(body) }) });
  };
  const statusOf = async (method: string, path: string, body?: unknown): Promise<number> =>
    (await ask(method, path, body)).status;
  const configure = async (name: string, more: object = {}): Promise<Answer["json"]> => {
    const answer = await ask("POST", "/admin/on-demand", {
      model_name: name,
      model_uri: tracked.uri,
      ...more,
    });
    expect(answer.status, answer.text).toBe(201);
    return answer.json;
  };
  /** In which list each of these models is. */
  const lists = async (...wanted: readonly string[]): Promise<Record<"running" | "on_demand", string[]>> => {
    const { running, on_demand } = (await call(url, "/models/")).json;
    const names = (models: readonly { name: string }[]): string[] =>
      models.flatMap(({ name }) => (wanted.includes(name) ? [name] : [])).sort();
    return { running: names(running), on_demand: names(on_demand) };
  };
  const succeeds = async (name: string): Promise<void> => {
    expect(await ended(url, await submitted(url, name, PROCESS))).toMatchObject({
      ...{ status: "succeeded", error_message: null },
    });
  };
  const containers = async (name: string) =>
    (await world.part?.docker.listContainers({ all: true, filters: { name: [`^/${name}$`] } })) ?? [];

  describe("that a person deploys", () => {
    it("by their run or by their address, once by each name, and removes", async () => {
      const [byRun, byUri] = [model("by-run"), model("by-uri")];
      const first = await ask("POST", `/models/${byRun}`, { tracking_id: tracked.run_id });
      expect(first.status, first.text).toBe(200);
      expect(first.json).toMatchObject({
        ...{ message: `Model '${byRun}' deployed successfully`, container_name: byRun },
        ...{ model_uri: tracked.uri, ttl: 86_400, container_id: expect.stringMatching(/^[0-9a-f]{64}$/) },
      });
      const again = await ask("POST", `/models/${byRun}`, { tracking_id: tracked.run_id, ttl: 60 });
      expect([again.status, again.json.detail]).toEqual([409, expect.stringContaining("already running")]);
      const both = { tracking_id: tracked.run_id, model_uri: tracked.uri, ttl: -1 };
      expect((await ask("POST", `/models/${byUri}`, both)).json).toMatchObject({
        model_uri: tracked.uri,
        ttl: -1,
      });
      expect((await containers(byRun))[0]?.Id).toBe(first.json.container_id);
      for (const name of [byRun, byUri]) {
        expect(await statusOf("DELETE", `/models/${name}`)).toBe(204);
        expect(await containers(name)).toEqual([]);
      }
    });

    it("unless nobody knows them, or they are not said", async () => {
      const name = model("refused");
      const post = async (body: object) => {
        const { status, json } = await ask("POST", `/models/${name}`, body);
        return [status, json.detail];
      };
      expect(await post({ model_uri: "invalid://uri" })).toEqual([
        ...[404, "Model URI 'invalid://uri' could not be validated. Model may not exist."],
      ]);
      expect(await post({ tracking_id: "0".repeat(32) })).toEqual([
        ...[404, `Model not found for tracking ID '${"0".repeat(32)}'.`],
      ]);
      expect(await post({})).toEqual([
        ...[400, "At least one of `tracking_id` or `model_uri` must be provided."],
      ]);
      expect(await statusOf("DELETE", `/models/${name}`)).toBe(404);
      expect(await statusOf("DELETE", `/models/${name}?force=true`)).toBe(204);
    });
  });

  describe("that are configured", () => {
    it("are made, listed, and made again with what was not said from before", async () => {
      const name = model("made");
      const before = (await ask("GET", "/admin/on-demand")).json.total;
      const first = await configure(name, {
        idle_ttl: 3_600,
        description: "one",
        deploy: { resources: FULL },
      });
      expect(first).toMatchObject({
        ...{ model_name: name, model_uri: tracked.uri, idle_ttl: 3_600, enabled: true, description: "one" },
        deploy: { resources: FULL },
      });
      expect(await statusOf("POST", "/admin/on-demand", { model_name: name, replace_enabled: false })).toBe(
        409,
      );
      const second = (await ask("POST", "/admin/on-demand", { model_name: name, description: "two" })).json;
      expect(second).toMatchObject({ ...first, id: second.id, description: "two", ...timesOf(second) });
      expect(second.id).not.toBe(first.id);
      const listed = (await ask("GET", "/admin/on-demand")).json;
      expect([listed.total, listed.configs.find(({ id }: { id: number }) => id === second.id)]).toEqual([
        ...[before + 1, second],
      ]);
      const all = (await ask("GET", "/admin/on-demand?include_disabled=true")).json.configs;
      expect(all.filter(({ model_name }: { model_name: string }) => model_name === name)).toHaveLength(2);
      const bare = { model_name: model("bare"), inherit_config: true };
      expect(await statusOf("POST", "/admin/on-demand", bare)).toBe(400);
      const unknown = { model_name: model("bare"), tracking_id: "0".repeat(32) };
      expect(await statusOf("POST", "/admin/on-demand", unknown)).toBe(404);
      expect(await statusOf("DELETE", `/admin/on-demand/${name}`)).toBe(204);
    });

    it("are read, changed in place, and cleared", async () => {
      const name = model("changed");
      const path = `/admin/on-demand/${name}`;
      expect([await statusOf("GET", path), await statusOf("PUT", path, { description: "a" })]).toEqual([
        404, 404,
      ]);
      const { id } = await configure(name, { description: "one", idle_ttl: 3_600 });
      const put = async (changes: object) => (await ask("PUT", path, changes)).json;
      expect(await put({ description: "two" })).toMatchObject({ id, description: "two", idle_ttl: 3_600 });
      expect(await put({ idle_ttl: 7_200 })).toMatchObject({ id, description: "two", idle_ttl: 7_200 });
      // Nobody looks whether an address leads anywhere, unless that is asked for.
      expect(await put({ model_uri: "mlflow://test/uri" })).toMatchObject({ model_uri: "mlflow://test/uri" });
      expect(await put({ tracking_id: tracked.run_id })).toMatchObject({
        ...{ tracking_id: tracked.run_id, model_uri: tracked.uri },
      });
      expect(await put({ deploy: { resources: FULL } })).toMatchObject({ deploy: { resources: FULL } });
      const cleared = await put({
        ...{ clear_description: true, clear_idle_ttl: true, clear_tracking_id: true, clear_deploy: true },
      });
      for (const field of ["description", "tracking_id", "deploy"]) expect(cleared).not.toHaveProperty(field);
      expect(cleared).toMatchObject({ id, model_uri: tracked.uri, idle_ttl: 3_600 });
      expect((await ask("GET", path)).json).toEqual(cleared);
      expect((await ask("GET", `${path}/history`)).json.total).toBe(1);
      expect(await statusOf("DELETE", path)).toBe(204);
    });

    it("are disabled, stay in the history, and are enabled again by their version", async () => {
      const name = model("versions");
      const path = `/admin/on-demand/${name}`;
      expect([await statusOf("GET", `${path}/history`), await statusOf("DELETE", path)]).toEqual([404, 404]);
      expect(await statusOf("POST", "/admin/on-demand/999999/enable")).toBe(404);
      const [one, two] = [
        await configure(name, { description: "one" }),
        await configure(name, { description: "two" }),
      ];
      expect((await ask("GET", path)).json.id).toBe(two.id);
      expect((await ask("POST", `/admin/on-demand/${one.id}/enable`)).json).toMatchObject({
        ...{ id: one.id, description: "one", enabled: true },
      });
      const versions = async () =>
        (await ask("GET", `${path}/history`)).json.configs.map(
          ({ description, enabled }: { description: string; enabled: boolean }) => [description, enabled],
        );
      expect(await versions()).toEqual([
        ["two", false],
        ["one", true],
      ]);
      expect(await statusOf("DELETE", path)).toBe(204);
      expect([await statusOf("GET", path), await statusOf("DELETE", path)]).toEqual([404, 404]);
      expect(await versions()).toEqual([
        ["two", false],
        ["one", false],
      ]);
    });
  });

  describe("that are deployed for their tasks", () => {
    it("by the first task, once for several, and stay for those that follow", async () => {
      const name = model("first");
      await configure(name, { idle_ttl: 9_999 });
      expect(await lists(name)).toEqual({ running: [], on_demand: [name] });
      const tasks = await Promise.all([1, 2, 3].map(() => submitted(url, name, PROCESS)));
      for (const id of tasks) expect(await ended(url, id)).toMatchObject({ status: "succeeded" });
      expect(await lists(name)).toEqual({ running: [name], on_demand: [] });
      const [container, ...others] = await containers(name);
      expect(others).toEqual([]);
      expect(container?.Labels).toMatchObject({
        "org.cogstack.model-gateway.deployment-type": "auto",
        "org.cogstack.model-gateway.ttl": "9999",
        "org.cogstack.model-serve.uri": tracked.uri,
        "org.cogstack.model-gateway.managed-by": "modelgate",
        [world.part?.label ?? ""]: name,
      });
      expect((await call(url, `/models/${name}?verbose=true`)).json).toMatchObject({
        ...{ deployment_type: "auto", is_running: true, runtime: { model_type: "medcat_umls" } },
      });
      await succeeds(name);
      expect((await containers(name)).map(({ Id }) => Id)).toEqual([container?.Id]);
      expect(await statusOf("DELETE", `/models/${name}`)).toBe(204);
      expect(await statusOf("DELETE", `/admin/on-demand/${name}`)).toBe(204);
    });

    it("from the run that their configuration names", async () => {
      const name = model("by-its-run");
      expect(await configure(name, { model_uri: null, tracking_id: tracked.run_id })).toMatchObject({
        ...{ tracking_id: tracked.run_id, model_uri: tracked.uri },
      });
      await succeeds(name);
      expect((await containers(name))[0]?.Labels["org.cogstack.model-serve.uri"]).toBe(tracked.uri);
      await statusOf("DELETE", `/models/${name}`);
      await statusOf("DELETE", `/admin/on-demand/${name}`);
    });

    it("and move between the lists, which know what runs", async () => {
      const [a, b] = [model("a"), model("b")];
      await Promise.all([configure(a), configure(b)]);
      expect(await lists(a, b)).toEqual({ running: [], on_demand: [a, b] });
      expect((await call(url, `/models/${a}`)).json).toMatchObject({ name: a, is_running: false });
      expect((await call(url, `/models/${a}?verbose=true`)).json).toMatchObject({
        ...{ deployment_type: "auto", is_running: false },
      });
      await succeeds(a);
      expect(await lists(a, b)).toEqual({ running: [a], on_demand: [b] });
      expect((await call(url, `/models/${a}?verbose=true`)).json).toHaveProperty("runtime");
      await Promise.all([a, b].map((name) => statusOf("DELETE", `/admin/on-demand/${name}`)));
      // The server of a model that is configured no more stays until somebody removes it, or it is idle.
      expect(await lists(a, b)).toEqual({ running: [a], on_demand: [] });
      expect(await statusOf("DELETE", `/models/${a}`)).toBe(204);
      expect(await lists(a, b)).toEqual({ running: [], on_demand: [] });
    });

    it("unless nobody configured them: then no task is kept", async () => {
      const name = model("nobody");
      const answer = await submit(url, name, PROCESS);
      expect(answer.status).toBe(503);
      for (const words of ["not available", "running models", "on-demand models"])
        expect(answer.json.detail.toLowerCase()).toContain(words);
      expect(await containers(name)).toEqual([]);
      expect(await statusOf("GET", `/models/${name}`)).toBe(404);
      const { tasks } = (await send(url, "GET", `/tasks/?model=${name}`)).json;
      expect(tasks).toEqual([]);
    });

    it("and their tasks fail where no server becomes of the configuration", async () => {
      const name = model("broken");
      // The server takes it for one of its own switches, and ends.
      await configure(name, { model_uri: "--exit-after-ms=1" });
      const details = await ended(url, await submitted(url, name, PROCESS));
      expect(details).toMatchObject({ status: "failed", error_message: expect.any(String) });
      expect((await containers(name)).filter(({ State }) => State === "running")).toEqual([]);
      expect((await lists(name)).running).not.toContain(name);
      expect(await statusOf("DELETE", `/models/${name}?force=true`)).toBe(204);
      await statusOf("DELETE", `/admin/on-demand/${name}`);
    });
  });
});

/** What is new in a new version of a configuration. */
function timesOf({ created_at, updated_at }: { created_at: string; updated_at: string }) {
  return { created_at, updated_at };
}
