import { once } from "node:events";
import { request } from "node:http";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { HOSTS, type OpenHost } from "../support/hosts.ts";
import { call, openSocket, readUntil } from "../support/http-client.ts";
import { type RealGateway, startGateway } from "../support/real-gateway.ts";
import { type OriginServer, type Seen, startOriginServer } from "./origin-server.ts";

const adminKey = "the-key-of-the-admins";

let origin: OriginServer;
let real: RealGateway;

beforeAll(async () => {
  origin = await startOriginServer();
  // Somebody answers there, and says that it is not ready.
  real = await startGateway({ nlp: origin.url }, { direct: { share: 1 } });
});

afterAll(async () => {
  await real.close();
  await origin.close();
});

beforeEach(() => {
  origin.seen.length = 0;
  origin.routes.clear();
});

/** The only request that arrived. */
function arrived(): Seen {
  expect(origin.seen).toHaveLength(1);
  return origin.seen[0] as Seen;
}

describe.each(HOSTS)("straight to a server over $host", ({ host, open }) => {
  let opened: OpenHost;
  let openToCallers: OpenHost;

  beforeAll(async () => {
    opened = await open(real.gateway, { adminKey, maxBodyBytes: 300_000 });
    openToCallers = await open(real.gateway, { adminKey, directCredentials: "caller" });
  });

  afterAll(async () => {
    await opened.close();
    await openToCallers.close();
  });

  it.each(["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND"])("goes %s", async (method) => {
    const body = ["GET", "OPTIONS"].includes(method) ? undefined : "a text";
    const headers = { "content-length": String(body?.length ?? 0) };
    const answer = await call(opened.url, "/models/nlp/v1/things", { method, body: body ?? "", headers });
    expect(answer.status).toBe(200);
    expect(answer.text).toBe(body ?? "");
    expect(arrived()).toMatchObject({ method, target: "/v1/things" });
  });

  it("goes HEAD, with the length of what is not sent", async () => {
    origin.routes.set(
      "/document",
      (_request, response) => void response.writeHead(200, { "content-length": 12_345 }).end(),
    );
    const answer = await call(opened.url, "/models/nlp/document", { method: "HEAD" });
    expect([answer.status, answer.headers["content-length"], answer.text]).toEqual([200, "12345", ""]);
  });

  it("keeps the query byte for byte, repeated keys in their order", async () => {
    const query = "a=1&a=2&b=%2f+%20&&=x&a=3;c&concepts_to_keep=1&concepts_to_keep=2";
    await call(opened.url, `/models/nlp/redact?${query}`, { method: "POST", body: "x" });
    expect(arrived().target).toBe(`/redact?${query}`);
  });

  it("keeps what the path encodes", async () => {
    await call(opened.url, "/models/nlp/files/a%20b%2Fc%C3%BC/~x;y=1/:z");
    await call(opened.url, "/models/nl%70/trailing/");
    expect(origin.seen.map(({ target }) => target)).toEqual([
      "/files/a%20b%2Fc%C3%BC/~x;y=1/:z",
      "/trailing/",
    ]);
  });

  it("sends bodies of every size as they are", async () => {
    for (const [size, chunked] of [
      [0, true],
      [1, false],
      [2_048, true],
      [200_000, false],
      [200_000, true],
    ] as const) {
      const body = Buffer.alloc(size, "\xff\0ab", "latin1");
      const headers = { "content-type": "x/y", ...(chunked && { "transfer-encoding": "chunked" }) };
      const answer = await call(opened.url, "/models/nlp/echo", { method: "POST", headers, body } as never);
      expect(answer.body.equals(body)).toBe(true);
    }
    expect(origin.seen[3]?.values("content-length")).toEqual(["200000"]);
    expect(origin.seen[4]?.values("content-length")).toEqual([]);
    expect(origin.seen.map((each) => each.values("content-type"))).toEqual(Array(5).fill(["x/y"]));
  });

  it("passes the caller's headers on, and none that is about one connection or the gateway's own", async () => {
    await call(opened.url, "/models/nlp/echo", {
      headers: {
        ...{ accept: "text/event-stream", "x-request-id": "r-1", tracestate: "a=1" },
        traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        ...{ connection: "x-hop, keep-alive", "x-hop": "1", te: "trailers", "x-modelgate-key": adminKey },
        ...{ "x-modelgate-priority": "3", prefer: "respond-async, wait=5, handling=lenient" },
        ...{ authorization: "Bearer of-the-caller", cookie: "session=1" },
      },
    });
    const seen = arrived();
    expect(seen.values("traceparent")).toEqual(["00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"]);
    expect([seen.values("accept"), seen.values("x-request-id")]).toEqual([["text/event-stream"], ["r-1"]]);
    expect(seen.values("prefer")).toEqual(["respond-async, handling=lenient"]);
    for (const name of [
      "x-hop",
      "te",
      "x-modelgate-key",
      "x-modelgate-priority",
      "authorization",
      "cookie",
    ]) {
      expect([name, seen.values(name)]).toEqual([name, []]);
    }
    expect(seen.values("host")).toEqual([new URL(origin.url).host]);
  });

  it("hands the caller's credentials on where that was said, and never the admin's key", async () => {
    const send = (headers: Record<string, string>) =>
      call(openToCallers.url, "/models/nlp/echo", { headers });
    await send({ authorization: "Bearer of-the-caller", cookie: "session=1", "x-modelgate-key": adminKey });
    const basic = (password: string) => `Basic ${Buffer.from(`u:${password}`).toString("base64")}`;
    await send({ authorization: basic(adminKey) });
    await send({ authorization: basic("of-the-caller") });
    expect(origin.seen.map((each) => each.values("authorization"))).toEqual([
      ["Bearer of-the-caller"],
      [],
      [basic("of-the-caller")],
    ]);
    expect(origin.seen[0]?.values("cookie")).toEqual(["session=1"]);
    expect(JSON.stringify(origin.seen.map(({ headers }) => headers))).not.toContain(adminKey);
  });

  it("answers what the server does: status, bytes and every header, repeated ones too", async () => {
    origin.routes.set("/answers", (_request, response) => {
      response.writeHead(418, [
        "Set-Cookie",
        "a=1",
        "Set-Cookie",
        "b=2",
        "X-Own",
        "1",
        "Content-Encoding",
        "gzip",
        "Keep-Alive",
        "timeout=1",
      ]);
      response.end(Buffer.from([0x1f, 0x8b, 0]));
    });
    const answer = await call(opened.url, "/models/nlp/answers");
    expect(answer.status).toBe(418);
    expect(answer.headers["set-cookie"]).toEqual(["a=1", "b=2"]);
    expect(answer.headers).toMatchObject({ "x-own": "1", "content-encoding": "gzip" });
    expect(answer.headers["keep-alive"]).not.toBe("timeout=1");
    expect([...answer.body]).toEqual([0x1f, 0x8b, 0]);
  });

  it.each([
    [204, {}],
    [304, { etag: '"1"' }],
    [307, { location: "/elsewhere" }],
    [401, { "www-authenticate": "Bearer" }],
    [500, {}],
    [503, { "x-why": "of its own" }],
  ])("passes a %i on as it is", async (status, headers) => {
    origin.routes.set(
      "/status",
      (_request, response) => void response.writeHead(status, headers as never).end(),
    );
    const answer = await call(opened.url, "/models/nlp/status");
    expect(answer.status).toBe(status);
    expect(answer.headers).toMatchObject(headers);
    expect(answer.text).toBe("");
  });

  it("leaves the gateway's own routes to the gateway", async () => {
    const own = await call(opened.url, "/models/nlp");
    expect(own.json).toMatchObject({ name: "nlp", is_running: true });
    expect((await call(opened.url, "/models/nlp/")).json).toMatchObject({ name: "nlp" });
    expect((await call(opened.url, "/models/nlp/deployment")).status).toBe(404);
    const submitted = await call(opened.url, "/models/nlp/tasks/process", {
      method: "POST",
      headers: { "content-type": "text/plain", prefer: "wait=5" },
      body: "x",
    });
    expect(submitted.headers["x-task-status"]).toBe("succeeded");
    expect(origin.seen.map(({ target }) => target)).toEqual(["/process"]);
    for (const [method, path, allow] of [
      ["PUT", "/models/nlp", "GET, POST, DELETE, HEAD"],
      ["POST", "/models/nlp/info", "GET, HEAD"],
      ["DELETE", "/models/nlp/deployment", "GET, HEAD"],
      ["GET", "/models/nlp/tasks/process", "POST"],
    ] as const) {
      const answer = await call(opened.url, path, { method });
      expect([method, path, answer.status, answer.headers["allow"]]).toEqual([method, path, 405, allow]);
    }
    // What only begins like one of them is the server's.
    origin.seen.length = 0;
    for (const path of ["/tasks", "/tasks/a/b", "/infos", "/info/x"])
      await call(opened.url, `/models/nlp${path}`);
    expect(origin.seen.map(({ target }) => target)).toEqual(["/tasks", "/tasks/a/b", "/infos", "/info/x"]);
  });

  it.each(["train_supervised", "train_unsupervised", "evaluate"])(
    "refuses %s, and names the task",
    async (operation) => {
      const encoded = `%${operation.charCodeAt(0).toString(16)}${operation.slice(1)}`;
      for (const path of [operation, `${operation}/`, encoded]) {
        const answer = await call(opened.url, `/models/nlp/${path}?epochs=1`, { method: "POST", body: "x" });
        expect([path, answer.status]).toEqual([path, 403]);
        expect(answer.json).toMatchObject({ code: "TASK_REQUIRED", status: 403 });
        expect(answer.json.detail).toContain(`POST /models/nlp/tasks/${operation}`);
      }
      expect(origin.seen).toEqual([]);
    },
  );

  it("refuses what would end somebody's training, and paths that leave the server's root", async () => {
    const cancel = await call(opened.url, "/models/nlp/cancel_training", { method: "POST" });
    expect([cancel.status, cancel.json.code]).toEqual([403, "TASK_REQUIRED"]);
    if (host === "node:http") {
      const climbing = await call(opened.url, "/models/nlp/a/../../secret");
      expect(climbing.status).toBeGreaterThanOrEqual(400);
      for (const path of [
        "/models/../secret",
        "/models/%2e%2E/secret",
        "/models/./secret",
        "/models/%2e/secret",
      ]) {
        expect((await call(opened.url, path)).status, path).toBe(404);
      }
    }
    expect(origin.seen).toEqual([]);
  });

  it("knows models as submits do", async () => {
    const answer = await call(opened.url, "/models/other/echo", { method: "POST", body: "x" });
    expect(answer.status).toBe(503);
    expect(answer.json.detail).toContain("Model 'other' is not available. Running models: ['nlp']");
    expect((await call(opened.url, "/models/%ff/echo")).status).toBe(400);
    expect((await call(opened.url, `/models/nlp/echo?${"a&".repeat(1_001)}`)).status).toBe(422);
    expect(origin.seen).toEqual([]);
  });

  it("takes bodies up to the limit", async () => {
    const body = Buffer.alloc(300_001);
    const refused = await call(opened.url, "/models/nlp/echo", {
      method: "POST",
      body,
      headers: { "content-length": "300001" },
    });
    expect([refused.status, refused.json.code]).toEqual([413, "PAYLOAD_TOO_LARGE"]);
    const chunked = { "transfer-encoding": "chunked" };
    const late = await call(opened.url, "/models/nlp/echo", { method: "POST", body, headers: chunked });
    expect([late.status, late.json.code]).toEqual([413, "PAYLOAD_TOO_LARGE"]);
    expect(origin.seen).toEqual([]);
  });
});

describe("straight to a server over node:http", () => {
  let url = "";
  let opened: OpenHost;

  beforeAll(async () => {
    const [node] = HOSTS;
    opened = (await node?.open(real.gateway)) as OpenHost;
    url = opened.url;
  });

  afterAll(() => opened.close());

  it("keeps the order, the spelling and the repetition of headers", async () => {
    const socket = await openSocket(url);
    socket.write(
      "GET /models/nlp/echo HTTP/1.1\r\nHost: h\r\nX-B: 1\r\nx-A: 2\r\nX-B: 3\r\nConnection: close\r\n\r\n",
    );
    await readUntil(socket, /200 OK/);
    const own = arrived().headers.filter(([name]) => /^x-/i.test(name));
    expect(own).toEqual([
      ["X-B", "1"],
      ["x-A", "2"],
      ["X-B", "3"],
    ]);
  });

  it("shows nobody what a server was sent", async () => {
    const answer = await call(url, "/models/nlp/echo", { method: "TRACE" });
    expect(answer.status).toBe(405);
    expect(origin.seen).toEqual([]);
  });

  it("asks for a body that is held back only when the server can have it", async () => {
    const headers = { expect: "100-continue", "content-length": "5" };
    const { hostname, port } = new URL(url);
    const outcomes: string[] = [];
    for (const path of ["/models/nlp/echo", "/models/nlp/train_supervised"]) {
      const sent = request({ hostname, port, path, method: "POST", headers, agent: false });
      sent.on("continue", () => {
        outcomes.push("continue");
        sent.end("12345");
      });
      sent.flushHeaders();
      const [response] = await once(sent, "response");
      response.resume();
      outcomes.push(String(response.statusCode));
      sent.destroy();
    }
    expect(outcomes).toEqual(["continue", "200", "403"]);
    expect(arrived().body.toString()).toBe("12345");
    expect(arrived().values("expect")).toEqual([]);
  });
});

describe("a model whose servers are not ready", () => {
  it("is waited for, and otherwise told to come back", async () => {
    const absent = await startOriginServer();
    absent.isReady = true;
    const other = await startGateway({ nlp: absent.url });
    const [node] = HOSTS;
    const opened = (await node?.open(other.gateway, { maxWaitMs: 2_000 })) as OpenHost;
    try {
      // One slot, taken by a request that is not answered.
      absent.routes.set("/held", () => {});
      const holders = Array.from({ length: 4 }, () => call(opened.url, "/models/nlp/held").catch(() => {}));
      await expect.poll(async () => (await call(opened.url, "/models/nlp/echo")).status).toBe(503);
      const refused = await call(opened.url, "/models/nlp/echo");
      expect(refused.json.code).toBe("SERVER_BUSY");
      expect(Number(refused.headers["retry-after"])).toBeGreaterThan(0);
      const waiting = call(opened.url, "/models/nlp/echo", { headers: { prefer: "wait=2" } });
      for (const socket of absent.hungUp.keys()) expect(socket).toBe("/held");
      absent.routes.clear();
      const waited = await Promise.race([waiting, new Promise((resolve) => setTimeout(resolve, 300))]);
      expect(waited).toBeUndefined();
      await opened.close();
      expect((await waiting).status).toBe(503);
      await Promise.all(holders);
    } finally {
      await opened.close();
      await other.close();
      await absent.close();
    }
  });
});
