import { writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { WebSocket } from "undici";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { makeToken } from "../src/auth/tokens.ts";
import { parseCommandLine } from "../src/command-line.ts";
import { type Running, start, until } from "./running.ts";

const users = { ana: "correct horse" };
const secret = "a secret of tests";
let running: Running;
let streaming: Running;

beforeAll(async () => {
  running = await start({ engine: "echo", auth: { users, secret } });
  streaming = await start({ engine: "echo", streamable: true, auth: { users } });
});

afterAll(() => Promise.all([running.close(), streaming.close()]));

const form = (username: string, password: string): URLSearchParams =>
  new URLSearchParams({ username, password });

const logIn = (of = running, body = form("ana", users.ana)): Promise<Response> =>
  fetch(`${of.url}/auth/jwt/login`, { method: "POST", body });

async function token(of = running): Promise<string> {
  return ((await (await logIn(of)).json()) as { access_token: string }).access_token;
}

function info(headers: Record<string, string>): Promise<Response> {
  return fetch(`${running.url}/info`, { headers });
}

const bearer = (value: string): Record<string, string> => ({ authorization: `Bearer ${value}` });

describe("a server that asks for a login", () => {
  it("leaves open what watches it, and nothing else", async () => {
    for (const path of ["/healthz", "/readyz", "/metrics"]) {
      expect((await fetch(running.url + path)).status).toBe(200);
    }
    const refused = await info({});
    expect([refused.status, await refused.json()]).toEqual([401, { detail: "Unauthorized" }]);
    for (const path of ["/process", "/evaluate", "/cancel_training", "/v1/embeddings", "/auth/jwt/logout"]) {
      expect([path, (await running.post(path, "a")).status]).toEqual([path, 401]);
    }
    expect((await fetch(`${running.url}/nothing`)).status).toBe(404);
  });

  it("gives a token for the password, and takes it", async () => {
    const response = await logIn();
    const { access_token: given, token_type } = (await response.json()) as Record<string, string>;
    expect([response.status, token_type]).toEqual([200, "bearer"]);
    const [, payload = ""] = (given ?? "").split(".");
    expect(JSON.parse(Buffer.from(payload, "base64url").toString())).toEqual({
      sub: "ana",
      aud: ["fastapi-users:auth"],
      exp: expect.closeTo(Date.now() / 1_000 + 3_600, -1),
    });
    expect((await info(bearer(given ?? ""))).status).toBe(200);
    const out = await fetch(`${running.url}/auth/jwt/logout`, {
      method: "POST",
      headers: bearer(given ?? ""),
    });
    expect([out.status, await out.text()]).toEqual([204, ""]);
  });

  it.each([
    ["a wrong password", form("ana", "wrong"), 400],
    ["an unknown name", form("bob", users.ana), 400],
    ["no password", new URLSearchParams({ username: "ana" }), 422],
  ])("refuses %s", async (_, body, status) => {
    const response = await logIn(running, body);
    expect(response.status).toBe(status);
    if (status === 400) expect(await response.json()).toEqual({ detail: "LOGIN_BAD_CREDENTIALS" });
  });

  it("takes no token that is changed, over, of another secret or user, or without a signature", async () => {
    const good = await token();
    const [head = "", payload = "", signature = ""] = good.split(".");
    const none = Buffer.from('{"alg":"none","typ":"JWT"}').toString("base64url");
    const key = Buffer.from(secret);
    for (const bad of [
      `${head}.${payload}.${signature.slice(0, -1)}`,
      `${head}.${payload}.`,
      `${none}.${payload}.`,
      "nonsense",
      makeToken("ana", -1_000, key),
      makeToken("bob", 60_000, key),
      makeToken("ana", 60_000, Buffer.from("another")),
    ]) {
      expect((await info(bearer(bad))).status).toBe(401);
    }
    expect((await info(bearer(makeToken("ana", 60_000, key)))).status).toBe(200);
  });

  it("takes a cookie in place of a token", async () => {
    const response = await fetch(`${running.url}/auth/cookie/login`, {
      method: "POST",
      body: form("ana", users.ana),
    });
    const cookie = response.headers.get("set-cookie") ?? "";
    expect(response.status).toBe(204);
    expect(cookie).toMatch(/^fastapiusersauth=\S+; HttpOnly; Max-Age=3600; Path=\/; SameSite=lax; Secure$/);
    const sent = { cookie: `other=1; ${cookie.split(";", 1)[0]}` };
    expect((await info(sent)).status).toBe(200);
    const out = await fetch(`${running.url}/auth/cookie/logout`, { method: "POST", headers: sent });
    expect([out.status, out.headers.get("set-cookie")]).toEqual([204, expect.stringContaining("Max-Age=0")]);
  });

  it("lets nobody on after their logins were revoked", async () => {
    const before = await token(streaming);
    const ask = (value: string): Promise<Response> =>
      fetch(`${streaming.url}/info`, { headers: bearer(value) });
    expect((await ask(before)).status).toBe(200);
    streaming.server.revokeTokens();
    expect((await ask(before)).status).toBe(401);
    expect((await ask(await token(streaming))).status).toBe(200);
  });

  it("shakes hands for a WebSocket only with who may use it; events are open to all", async () => {
    const address = `${streaming.url.replace("http", "ws")}/stream/ws`;
    const outcome = async (headers: Record<string, string>): Promise<string> => {
      const socket = new WebSocket(address, { headers });
      let what = "";
      socket.addEventListener("open", () => {
        what ||= "open";
        socket.close();
      });
      socket.addEventListener("error", () => {
        what ||= "refused";
      });
      await until(() => what !== "");
      return what;
    };
    const good = await token(streaming);
    expect(await outcome({})).toBe("refused");
    expect(await outcome(bearer("nonsense"))).toBe("refused");
    expect(await outcome(bearer(good))).toBe("open");
    expect(await outcome({ cookie: `fastapiusersauth=${good}` })).toBe("open");
    expect((await streaming.post("/stream/process", "")).status).toBe(401);
    const events = await fetch(`${streaming.url}/stream/sse/events?client_id=a`);
    expect(events.status).toBe(200);
    await events.body?.cancel();
  });
});

it("is told of its user by the command line, and of the password by a file", () => {
  const file = join(tmpdir(), `password-${process.pid}`);
  writeFileSync(file, "correct horse\n");
  const { options } = parseCommandLine(["--auth-user", "ana", "--auth-password-file", file], {
    AUTH_JWT_SECRET: "s",
    AUTH_ACCESS_TOKEN_EXPIRE_SECONDS: "5",
  });
  expect(options.auth).toEqual({ users: { ana: "correct horse" }, secret: "s", lifetimeMs: 5_000 });
});
