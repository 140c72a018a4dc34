import { afterEach, describe, expect, it } from "vitest";
import type { HttpOptions } from "../src/index.ts";
import { DeploymentsDouble, type DoubleOptions, TRACKED } from "./support/deployments-double.ts";
import { handMadeGateway } from "./support/hand-made-gateway.ts";
import { HOSTS } from "./support/hosts.ts";
import { type Answer, call } from "./support/http-client.ts";

const adminKey = "the-key-of-the-admins";
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\+00:00$/;

describe.each(HOSTS)("on-demand configurations over $host", ({ open }) => {
  const closers: (() => Promise<unknown>)[] = [];

  async function opened(settings: DoubleOptions = {}, options: HttpOptions = { adminKey }): Promise<string> {
    const host = await open(handMadeGateway({ deployments: new DeploymentsDouble(settings) }), options);
    closers.push(host.close);
    return host.url;
  }

  const send = (url: string, method: string, path = "", body?: unknown): Promise<Answer> =>
    call(url, `/admin/on-demand${path}`, {
      method,
      headers: { "x-modelgate-key": adminKey, ...(body === undefined && { "content-length": "0" }) },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });

  const create = (url: string, body: object): Promise<Answer> => send(url, "POST", "", body);

  afterEach(async () => {
    for (const close of closers.splice(0)) await close();
  });

  it("are for admins, and for nobody where there is no key", async () => {
    const [withKey, without] = [await opened(), await opened({}, {})];
    for (const [url, key] of [
      [withKey, undefined],
      [withKey, "x".repeat(20)],
      [without, adminKey],
    ] as const) {
      for (const [method, path] of [
        ["GET", ""],
        ["POST", ""],
        ["GET", "/m"],
        ["PUT", "/m"],
        ["DELETE", "/m"],
        ["GET", "/m/history"],
        ["POST", "/x/enable"],
      ] as const) {
        const headers: Record<string, string> = key === undefined ? {} : { "x-modelgate-key": key };
        const answer = await call(url, `/admin/on-demand${path}`, { method, headers });
        expect(answer.status).toBe(403);
        expect(answer.text).toBe('{"detail":"Only admins can configure on-demand models"}');
      }
    }
  });

  it("are for a client that sends the key as a password, as one that is only given an address does", async () => {
    const url = await opened();
    const list = async (scheme: string, credentials: string): Promise<number> => {
      const authorization = `${scheme} ${Buffer.from(credentials).toString("base64")}`;
      return (await call(url, "/admin/on-demand", { headers: { authorization } })).status;
    };
    expect(await list("Basic", `admin:${adminKey}`)).toBe(200);
    expect(await list("basic", `:${adminKey}`)).toBe(200);
    for (const wrong of [adminKey, `${adminKey}:`, `admin:${adminKey}x`, "admin:", ""]) {
      expect(await list("Basic", wrong)).toBe(403);
    }
    expect(await list("Bearer", `admin:${adminKey}`)).toBe(403);
  });

  it("are for all where that is asked for, and lists of tasks still are not", async () => {
    const url = await opened({}, { adminKey, openConfigurations: true });
    const created = await call(url, "/admin/on-demand", {
      method: "POST",
      body: JSON.stringify({ model_name: "m", model_uri: "u" }),
    });
    expect(created.status).toBe(201);
    expect((await call(url, "/admin/on-demand/m")).status).toBe(200);
    expect((await call(url, "/tasks/")).status).toBe(403);
    expect((await call(url, "/models/m/deployment?logs=5")).status).toBe(403);
  });

  it("are created with all that callers send, nulls included", async () => {
    const url = await opened({ idleTtlMs: 1_800_000 });
    const answer = await create(url, {
      ...{ model_name: "m", model_uri: "mlflow://test/uri", tracking_id: null, idle_ttl: null },
      ...{ description: null, deploy: null, replace_enabled: true, inherit_config: true },
    });
    expect(answer.status).toBe(201);
    expect(answer.json).toEqual({
      ...{ id: 1, model_name: "m", model_uri: "mlflow://test/uri", idle_ttl: 1_800, enabled: true },
      ...{ created_at: expect.stringMatching(TIME), updated_at: expect.stringMatching(TIME) },
    });
    for (const path of ["/m", "/m/"]) expect((await send(url, "GET", path)).json).toEqual(answer.json);
  });

  it("take their address from the tracker", async () => {
    const url = await opened();
    expect((await create(url, { model_name: "m", tracking_id: "run-1" })).json).toMatchObject({
      ...{ tracking_id: "run-1", model_uri: TRACKED.uri },
    });
    const unknown = await create(url, { model_name: "m", tracking_id: "no" });
    expect(unknown.status).toBe(404);
    expect(unknown.json.detail).toBe("Model not found for tracking ID 'no'.");
    const strict = await opened({ requiresKnownUri: true });
    for (const answer of [
      await create(strict, { model_name: "m", model_uri: "invalid://uri" }),
      (await create(strict, { model_name: "m", model_uri: TRACKED.uri })) &&
        (await send(strict, "PUT", "/m", { model_uri: "invalid://uri" })),
    ]) {
      expect(answer.status).toBe(404);
      expect(answer.json.detail).toBe(
        "Model URI 'invalid://uri' could not be validated. Model may not exist.",
      );
    }
  });

  it("keep what servers are to have, in its words", async () => {
    const url = await opened();
    const deploy = {
      resources: {
        limits: { memory: "4g", cpus: "2" },
        reservations: { memory: "512m", cpus: "0.5", devices: [{ count: 2, capabilities: ["gpu"] }] },
      },
    };
    expect((await create(url, { model_name: "m", model_uri: "u", deploy })).json.deploy).toEqual(deploy);
    const inherited = await create(url, { model_name: "m", description: "d", keep_warm: true });
    expect(inherited.json).toMatchObject({ deploy, description: "d", keep_warm: true });
    for (const [given, shown] of [
      [
        { memory: "2048m", cpus: 2.5 },
        { memory: "2g", cpus: "2.5" },
      ],
      [{ memory: "1000" }, { memory: "1000" }],
      [{ memory: "0.5K" }, { memory: "512" }],
    ] as const) {
      const changed = await send(url, "PUT", "/m", { deploy: { resources: { limits: given } } });
      expect(changed.json.deploy).toEqual({ resources: { limits: shown } });
    }
    expect((await send(url, "PUT", "/m", { deploy: {} })).json).not.toHaveProperty("deploy");
  });

  it("replace, inherit, and keep their history", async () => {
    const url = await opened();
    await create(url, { model_name: "m", model_uri: "u1", idle_ttl: 60, description: "one" });
    const second = await create(url, { model_name: "m", model_uri: "u2" });
    expect(second.json).toMatchObject({ id: 2, model_uri: "u2", idle_ttl: 60, description: "one" });
    const fresh = await create(url, { model_name: "m", model_uri: "u3", inherit_config: "false" });
    expect(fresh.json.idle_ttl).toBe(3_600);
    expect(fresh.json).not.toHaveProperty("description");
    const history = await send(url, "GET", "/m/history");
    expect(history.json.total).toBe(3);
    expect(
      history.json.configs.map((each: { id: number; enabled: boolean }) => [each.id, each.enabled]),
    ).toEqual([
      [3, true],
      [2, false],
      [1, false],
    ]);
    const taken = await create(url, { model_name: "m", model_uri: "u4", replace_enabled: false });
    expect(taken.status).toBe(409);
    expect(taken.json.detail).toBe("An enabled on-demand config for 'm' already exists");
  });

  it("are listed by model", async () => {
    const url = await opened();
    expect((await send(url, "GET")).json).toEqual({ configs: [], total: 0 });
    for (const name of ["b", "a", "c", "a"]) await create(url, { model_name: name, model_uri: "u" });
    await send(url, "DELETE", "/c");
    const names = ({ json }: Answer): string[] =>
      json.configs.map((each: { model_name: string }) => each.model_name);
    expect(names(await send(url, "GET"))).toEqual(["a", "b"]);
    const all = await send(url, "GET", "/?include_disabled=true");
    expect(names(all)).toEqual(["a", "a", "b", "c"]);
    expect(all.json.total).toBe(4);
    expect((await send(url, "GET", "?include_disabled=maybe")).status).toBe(422);
  });

  it("are changed in place, and cleared", async () => {
    const url = await opened();
    const deploy = { resources: { limits: { cpus: "1" } } };
    await create(url, { model_name: "m", model_uri: "u", idle_ttl: 60, description: "one", deploy });
    const changed = await send(url, "PUT", "/m", { tracking_id: "run-1", idle_ttl: 90, model_uri: null });
    expect(changed.status).toBe(200);
    expect(changed.json).toMatchObject({
      ...{ id: 1, model_uri: TRACKED.uri, tracking_id: "run-1", idle_ttl: 90, description: "one", deploy },
    });
    const cleared = await send(url, "PUT", "/m", {
      ...{ description: "two", clear_tracking_id: true, clear_idle_ttl: true },
      ...{ clear_description: true, clear_deploy: true },
    });
    expect(cleared.json).toEqual({
      ...{ id: 1, model_name: "m", model_uri: TRACKED.uri, idle_ttl: 3_600, enabled: true },
      ...{ created_at: expect.stringMatching(TIME), updated_at: expect.stringMatching(TIME) },
    });
    expect((await send(url, "GET", "/m/history")).json.total).toBe(1);
  });

  it("are disabled, and enabled again by their id", async () => {
    const url = await opened();
    await create(url, { model_name: "m", model_uri: "u1" });
    await create(url, { model_name: "m", model_uri: "u2" });
    const enabled = await send(url, "POST", "/1/enable");
    expect(enabled.status).toBe(200);
    expect(enabled.json).toMatchObject({ id: 1, model_uri: "u1", enabled: true });
    expect((await send(url, "GET", "/m")).json.id).toBe(1);
    const gone = await send(url, "DELETE", "/m");
    expect(gone.status).toBe(204);
    expect(gone.text).toBe("");
    expect((await send(url, "POST", "/2/enable/")).json).toMatchObject({ id: 2, enabled: true });
  });

  it("are not found", async () => {
    const url = await opened();
    await create(url, { model_name: "m", model_uri: "u" });
    await send(url, "DELETE", "/m");
    for (const name of ["m", "other", "a b"]) {
      const path = `/${encodeURIComponent(name)}`;
      for (const answer of [
        await send(url, "GET", path),
        await send(url, "PUT", path, {}),
        await send(url, "DELETE", path),
      ]) {
        expect(answer.status).toBe(404);
        expect(answer.json.detail).toBe(`No enabled on-demand config found for '${name}'`);
      }
    }
    const history = await send(url, "GET", "/other/history");
    expect(history.status).toBe(404);
    expect(history.json.detail).toBe("No on-demand configurations found for 'other'");
    const unknown = await send(url, "POST", "/77/enable");
    expect(unknown.status).toBe(404);
    expect(unknown.json.detail).toBe("On-demand config '77' not found");
    const word = await send(url, "POST", "/first/enable");
    expect(word.status).toBe(422);
    expect(word.json.detail[0]).toMatchObject({ type: "int_parsing", loc: ["path", "config_id"] });
    expect((await send(url, "POST", "/m")).status).toBe(405);
  });

  it.each([
    [
      { model_name: "m" },
      /^model_uri is required: either provide it explicitly or use inherit_config=True to copy/,
    ],
    [
      { model_name: "a b", model_uri: "u" },
      /^Invalid on-demand model config: 1 validation error .*\nmodel_name\n/,
    ],
    [{ model_name: "", model_uri: "u" }, /\nmodel_name\n {2}Value error, /],
    [{ model_name: "x".repeat(256), model_uri: "u" }, /\nmodel_name\n/],
    [{ model_name: "m", model_uri: " " }, /\nmodel_uri\n {2}Value error, .* is empty$/],
    [{ model_name: "m", model_uri: "a\0" }, /\nmodel_uri\n/],
  ])("are refused with 400 (%#)", async (body, detail) => {
    const url = await opened();
    const answer = await create(url, body);
    expect(answer.status).toBe(400);
    expect(answer.json.detail).toMatch(detail);
    expect((await send(url, "GET", "?include_disabled=1")).json.total).toBe(0);
  });

  it.each<readonly [Record<string, unknown>, string, string]>([
    [{ model_name: undefined }, "model_name", "missing"],
    [{ model_name: null }, "model_name", "missing"],
    [{ model_name: 7 }, "model_name", "string_type"],
    [{ idle_ttl: 0 }, "idle_ttl", "greater_than"],
    [{ idle_ttl: "-5" }, "idle_ttl", "greater_than"],
    [{ idle_ttl: "x" }, "idle_ttl", "int_parsing"],
    [{ idle_ttl: 1e15 }, "idle_ttl", "value_error"],
    [{ description: "\0" }, "description", "value_error"],
    [{ description: "x".repeat(20_000) }, "description", "value_error"],
    [{ tracking_id: "" }, "tracking_id", "value_error"],
    [{ replace_enabled: "maybe" }, "replace_enabled", "bool_parsing"],
    [{ keep_warm: {} }, "keep_warm", "bool_parsing"],
    [{ deploy: "4g" }, "deploy", "dict_type"],
  ])("are refused with 422 (%#)", async (parts, field, type) => {
    const url = await opened();
    const answer = await create(url, { model_name: "m", model_uri: "u", ...parts });
    expect(answer.status).toBe(422);
    expect(answer.json.detail).toMatchObject([{ type, loc: ["body", field] }]);
    if (field === "model_name") return;
    await create(url, { model_name: "m", model_uri: "u" });
    if (field === "replace_enabled") return;
    expect((await send(url, "PUT", "/m", parts)).json.detail).toMatchObject([{ type, loc: ["body", field] }]);
  });

  it("tell all that is wrong at once", async () => {
    const url = await opened();
    const answer = await create(url, {
      idle_ttl: 0,
      deploy: { resources: { limits: { memory: "4x", cpus: "x" } } },
    });
    expect(answer.json.detail.map(({ loc }: { loc: string[] }) => loc.at(-1))).toEqual([
      ...["model_name", "idle_ttl", "memory", "cpus"],
    ]);
    expect((await send(url, "POST")).status).toBe(422);
    expect((await send(url, "PUT", "/m")).status).toBe(422);
  });

  it("take an address and a description of full length byte for byte", async () => {
    const url = await opened();
    const body = {
      model_name: "m",
      model_uri: "\u0001ü".repeat(4_096),
      description: "\u0001€".repeat(8_192),
    };
    expect((await create(url, body)).status).toBe(201);
    expect((await send(url, "GET", "/m")).json).toMatchObject(body);
  });
});
