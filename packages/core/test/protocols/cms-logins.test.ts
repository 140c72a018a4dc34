import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import type { HeaderList } from "../../src/contracts/server-protocol.ts";
import type { GatewayError } from "../../src/errors.ts";
import type { CmsProtocolOptions } from "../../src/protocols/cms.ts";
import { answerJson, bytesOf, callTo, httpWire, open, pieces } from "./wire.ts";

const USER = { username: "gate & way", password: "s3cret=+é" };

/** A CMS that asks who calls: its tokens count up, and it takes `accepts` only. */
async function lockedServer(options: { accepts?: string; hasReadyz?: boolean; claims?: object } = {}) {
  const world = {
    logins: [] as string[],
    seen: [] as string[],
    accepts: options.accepts,
    login: 200,
    delayMs: 0,
  };
  let count = 0;
  const wire = await httpWire(async (request, response) => {
    const { url = "", method = "", headers } = request;
    const body = (await bytesOf(request)).toString();
    const path = url.split("?")[0];
    if (path === "/auth/jwt/login") {
      world.logins.push(`${headers["content-type"]} ${body}`);
      await sleep(world.delayMs);
      if (world.login !== 200) return answerJson(response, world.login, { detail: "LOGIN_BAD_CREDENTIALS" });
      count += 1;
      const claims = Buffer.from(JSON.stringify(options.claims ?? {})).toString("base64url");
      const token = `head.${claims}.t${count}`;
      world.accepts = `Bearer ${token}`;
      return answerJson(response, 200, { access_token: token, token_type: "bearer" });
    }
    if (path === "/readyz" && options.hasReadyz !== false) return void response.end("medcat");
    world.seen.push(
      `${method} ${path} ${headers.authorization?.split(".").at(-1) ?? "nobody"} ${body}`.trim(),
    );
    if (path === "/readyz") return void response.writeHead(404).end();
    if (headers.authorization === world.accepts) return answerJson(response, 200, []);
    answerJson(response, 401, { detail: "Unauthorized" });
  });
  return { ...wire, world };
}

const as = (credentials: ReturnType<NonNullable<CmsProtocolOptions["credentials"]>>, more = {}) =>
  open({ credentials: () => credentials, ...more });
const note = Buffer.from("note");

describe("a server that asks who calls", () => {
  it("is logged in at once for all calls together, with a form", async () => {
    const { server, world } = await lockedServer();
    world.delayMs = 30;
    const protocol = as(USER);
    const calls = [1, 2, 3].map(() => protocol.call(callTo(server, { payload: note })));
    expect((await Promise.all(calls)).map(({ kind }) => kind)).toEqual(["done", "done", "done"]);
    expect(await protocol.call(callTo(server, { payload: pieces("no", "te"), sizeBytes: 4 }))).toMatchObject({
      kind: "done",
    });
    const form = new URLSearchParams(USER).toString();
    expect(world.logins).toEqual([`application/x-www-form-urlencoded ${form}`]);
    expect(new Set(world.seen)).toEqual(new Set(["POST /process t1 note"]));
  });

  it("knows us in every way in which it is spoken to", async () => {
    const { server, world } = await lockedServer({ hasReadyz: false });
    const protocol = as(USER);
    expect(await protocol.probe(server)).toMatchObject({ ready: true });
    expect((await protocol.info(server))?.status).toBe(200);
    await protocol.findRun({ server, taskId: "t", operation: "evaluate" });
    const request = { server, method: "GET", path: "/x", query: "", headers: [], timeoutMs: 1000 };
    await protocol.pass?.send(request);
    await protocol.pass?.upgrade({ ...request, headers: [["Upgrade", "websocket"]] });
    expect(world.logins).toHaveLength(1);
    expect(world.seen).toEqual([
      "GET /readyz nobody",
      "GET /info t1",
      "GET /info t1",
      "GET /train_eval_info t1",
      "GET /x t1",
      "GET /x t1",
    ]);
  });

  it("is logged in at again after a 401, and sent once more what is still there", async () => {
    const { server, world } = await lockedServer();
    const protocol = as(USER);
    await protocol.call(callTo(server, { payload: note }));
    world.accepts = "nobody";
    expect(await protocol.call(callTo(server, { payload: note }))).toMatchObject({ kind: "done" });
    expect(world.seen).toEqual(["POST /process t1 note", "POST /process t1 note", "POST /process t2 note"]);
    world.accepts = "nobody";
    const request = {
      server,
      method: "PUT",
      path: "/x",
      query: "",
      headers: [],
      payload: note,
      timeoutMs: 1000,
    };
    expect(await protocol.pass?.send(request)).toMatchObject({ kind: "answered", answer: { status: 200 } });
    world.accepts = "nobody";
    expect((await protocol.info(server))?.status).toBe(200);
    world.accepts = "nobody";
    const upgrade = {
      ...request,
      method: "GET",
      payload: undefined,
      headers: [["Upgrade", "websocket"]] as HeaderList,
    };
    expect(await protocol.pass?.upgrade(upgrade)).toMatchObject({
      kind: "answered",
      answer: { status: 200 },
    });
    expect(world.logins).toHaveLength(5);
  });

  it("keeps a task waiting whose payload was a stream, and nothing was done", async () => {
    const { server, world } = await lockedServer();
    const protocol = as(USER);
    await protocol.call(callTo(server, { payload: note }));
    world.accepts = "nobody";
    const call = () => callTo(server, { payload: pieces("note"), sizeBytes: 4 });
    expect(await protocol.call(call())).toEqual({ kind: "refused", reason: "starting" });
    expect(await protocol.call(call())).toMatchObject({ kind: "done" });
    expect(world.logins).toHaveLength(2);
  });

  it("that does not accept the password is asked ever less often, and that is told once, without it", async () => {
    const { server, world } = await lockedServer();
    world.login = 400;
    const told: GatewayError[] = [];
    const protocol = as(USER, { onError: (error: GatewayError) => told.push(error) });
    for (let at = 0; at < 3; at += 1) {
      const outcome = await protocol.call(callTo(server, { payload: note }));
      expect(outcome).toMatchObject({
        kind: "refused",
        reason: "starting",
        retryAfterMs: expect.any(Number),
      });
      if (outcome.kind === "refused") expect(outcome.retryAfterMs).toBeGreaterThan(4000);
    }
    const request = { server, method: "GET", path: "/x", query: "", headers: [], timeoutMs: 1000 };
    expect(await protocol.pass?.send(request)).toEqual({ kind: "unsent" });
    expect([world.logins.length, world.seen.length, told.length]).toEqual([1, 0, 1]);
    expect(told[0]).toMatchObject({ code: "SERVER_REJECTED", details: { server: "s1" } });
    expect(JSON.stringify([told, String(told[0])])).not.toMatch(/s3cret|gate/);
  });

  it.each([
    ["a user whose tokens it does not take", USER],
    ["a token that it does not take", { token: "fixed" }],
  ])("waits with %s", async (_what, credentials) => {
    const { server, world } = await lockedServer({ claims: { other: 1 } });
    const told: GatewayError[] = [];
    const protocol = as(credentials, { onError: (error: GatewayError) => told.push(error) });
    Object.defineProperty(world, "accepts", { get: () => "nobody", set: () => {} });
    const outcomes = [];
    for (let at = 0; at < 3; at += 1) outcomes.push(await protocol.call(callTo(server, { payload: note })));
    expect(outcomes.map(({ kind }) => kind)).toEqual(["refused", "refused", "refused"]);
    expect(told).toHaveLength(1);
    expect(world.seen).toHaveLength(1);
  });

  it("takes a token that is given, and another one as soon as that is given", async () => {
    const { server, world } = await lockedServer({ accepts: "Bearer one.two" });
    let token = "one.two";
    const protocol = open({ credentials: ({ id }) => (id === "s1" ? { token } : undefined) });
    expect(await protocol.call(callTo(server, { payload: note }))).toMatchObject({ kind: "done" });
    token = "bad\r\nx: y";
    expect(await protocol.call(callTo(server, { payload: note }))).toMatchObject({ kind: "refused" });
    token = "three.four";
    world.accepts = "Bearer three.four";
    expect(await protocol.call(callTo(server, { payload: note }))).toMatchObject({ kind: "done" });
    expect(world.logins).toEqual([]);
  });

  it("is not told ours where the caller's own are passed on", async () => {
    const { server, world } = await lockedServer();
    const headers: HeaderList = [["authorization", "Bearer a.own"]];
    const request = { server, method: "GET", path: "/x", query: "", headers, timeoutMs: 1000 };
    expect(await as(USER).pass?.send(request)).toMatchObject({ kind: "answered", answer: { status: 401 } });
    expect([world.logins, world.seen]).toEqual([[], ["GET /x own"]]);
  });

  it("is logged in at anew before a token ends", async () => {
    const soon = Math.floor(Date.now() / 1000) + 31;
    const { server, world } = await lockedServer({ claims: { exp: soon } });
    const protocol = as(USER);
    await protocol.call(callTo(server, { payload: note }));
    await sleep(Math.max(0, soon * 1000 - 30_000 - Date.now()) + 10);
    await protocol.call(callTo(server, { payload: note }));
    expect(world.logins).toHaveLength(2);
    expect(world.seen).toEqual(["POST /process t1 note", "POST /process t2 note"]);
  });
});

describe("a server that asks nobody", () => {
  it("is spoken to without a token, though there are credentials for it", async () => {
    const { server, world } = await lockedServer();
    world.login = 404;
    const protocol = as(USER);
    world.accepts = undefined;
    expect(await protocol.call(callTo(server, { payload: note }))).toMatchObject({ kind: "done" });
    expect(await protocol.call(callTo(server, { payload: note }))).toMatchObject({ kind: "done" });
    expect([world.logins.length, world.seen[0]]).toEqual([1, "POST /process nobody note"]);
  });

  it("keeps its 401 as an answer where there are no credentials", async () => {
    const { server } = await lockedServer({ hasReadyz: false, accepts: "nobody" });
    expect(await open().call(callTo(server, { payload: note }))).toMatchObject({ kind: "rejected" });
    expect(await open().probe(server)).toMatchObject({ ready: false, reason: "/info answered 401" });
  });
});
