import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { getRequestListener, serve } from "@hono/node-server";
import type { SubmitRequest } from "@modelgate/core";
import express from "express";
import { Hono } from "hono";
import { afterEach, describe, expect, it } from "vitest";
import { createHttpHandler, type HttpOptions } from "../src/index.ts";
import { createNodeHandler } from "../src/node.ts";
import { handMadeGateway, operationsOf, taskRecord } from "./support/hand-made-gateway.ts";
import { type Answer, call } from "./support/http-client.ts";
import { startModelServer } from "./support/model-server.ts";
import { startGateway } from "./support/real-gateway.ts";

const closers: (() => unknown)[] = [];
const errors: unknown[] = [];

afterEach(async () => {
  for (const close of closers.splice(0)) await close();
  errors.length = 0;
});

async function listen(listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  closers.push(() => {
    server.closeAllConnections();
    return new Promise((resolve) => server.close(resolve));
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** A gateway whose tasks never end, and what was submitted to it. */
function recording() {
  const submitted: { query: string | undefined; body: Buffer; model: string }[] = [];
  const submit = (async ({ model, query, payload }: SubmitRequest) => {
    const chunks: Uint8Array[] = [];
    if (payload instanceof Uint8Array) chunks.push(payload);
    else for await (const chunk of payload as AsyncIterable<Uint8Array>) chunks.push(chunk);
    submitted.push({ model, query, body: Buffer.concat(chunks) });
    return taskRecord();
  }) as never;
  const operations = () => operationsOf({ process: "text/plain", process_bulk: "application/json" });
  const gateway = handMadeGateway({ submit, operations, wait: async () => taskRecord() });
  return { gateway, submitted };
}

const options: HttpOptions = { onError: (error) => errors.push(error) };

const MOUNTS: readonly [string, (gateway: ReturnType<typeof handMadeGateway>) => RequestListener][] = [
  [
    "Express, by use",
    (gateway) => express().use("/gateway", createNodeHandler(gateway, options)) as RequestListener,
  ],
  [
    "a router of Express in a router",
    (gateway) => {
      const inner = express.Router().use("/way", createNodeHandler(gateway, options));
      return express().use("/gate", inner) as RequestListener;
    },
  ],
  [
    "Hono, by mount",
    (gateway) =>
      getRequestListener(new Hono().mount("/gateway", createHttpHandler(gateway, options).fetch).fetch, {
        overrideGlobalObjects: false,
      }),
  ],
  [
    "Hono, by route",
    (gateway) =>
      getRequestListener(new Hono().route("/gateway", createHttpHandler(gateway, options).app).fetch, {
        overrideGlobalObjects: false,
      }),
  ],
  ["node:http, by basePath", (gateway) => createNodeHandler(gateway, { ...options, basePath: "/gateway" })],
];

describe.each(MOUNTS)("mounted in %s", (name, mount) => {
  const base = name.includes("router") ? "/gate/way" : "/gateway";

  const post = (
    url: string,
    path: string,
    headers: Record<string, string> = {},
    body = "a text",
  ): Promise<Answer> =>
    call(url, `${base}${path}`, {
      method: "POST",
      headers: { "content-type": "text/plain", ...headers },
      body,
    });

  it("answers below its path only, with a slash at the end and without", async () => {
    const url = await listen(mount(recording().gateway));
    for (const path of ["", "/", "?x=1", "/?x=1"]) expect((await call(url, base + path)).status).toBe(200);
    for (const path of ["/tasks", "/tasks/"]) expect((await call(url, base + path)).status).toBe(403);
    expect((await call(url, "/tasks")).status).toBe(404);
    expect((await call(url, `${base}x/tasks`)).status).toBe(404);
    expect((await call(url, `${base}/health`, { method: "PUT" })).status).toBe(405);
    expect((await call(url, `${base}/models/%zz`)).status).toBe(400);
  });

  it("takes query and body as they came, and says where the task is as the client sees it", async () => {
    const { gateway, submitted } = recording();
    const url = await listen(mount(gateway));
    const query = "?a='1'&a=%2f&b=x+y";
    const answer = await post(url, `/models/n%20p/tasks/process${query}`, { prefer: "wait=1" });
    expect(answer.status).toBe(202);
    expect(answer.headers["location"]).toBe(`${base}/tasks/task-1`);
    expect(submitted).toEqual([{ model: "n p", query: query.slice(1), body: Buffer.from("a text") }]);
    const large = "x".repeat(500_000);
    expect((await post(url, "/models/nlp/tasks/process/", {}, large)).status).toBe(200);
    expect(submitted[1]?.body.toString()).toBe(large);
    expect(errors).toEqual([]);
  });

  it("runs tasks of a real server", async () => {
    const server = await startModelServer();
    const real = await startGateway({ nlp: server.url });
    closers.push(real.close, server.close);
    const url = await listen(mount(real.gateway));
    const answer = await post(url, "/models/nlp/tasks/process", { prefer: "wait=10" });
    expect(answer.text).toBe('{"length":6}');
    const id = answer.headers["x-task-uuid"];
    expect((await call(url, `${base}/tasks/${id}?download=true`)).text).toBe('{"length":6}');
    expect(
      (await call(url, `${base}/tasks/${id}`, { method: "HEAD" })).headers["content-length"],
    ).toBeDefined();
  });
});

describe("as middleware", () => {
  it("leaves other paths to what comes next, and answers its own", async () => {
    const { gateway } = recording();
    const app = express().use(createNodeHandler(gateway, options));
    app.get("/mine", (_request, response) => void response.json({ mine: true }));
    const url = await listen(app as RequestListener);
    expect((await call(url, "/mine")).json).toEqual({ mine: true });
    expect((await call(url, "/health/x")).text).toContain("Cannot GET /health/x");
    expect((await call(url, "/tasks", { method: "PUT" })).status).toBe(405);
    expect((await call(url, `/mine?${"x".repeat(16_500)}`, {})).status).toBe(431);
  });

  it("says what is wrong when a body was read before it came", async () => {
    const { gateway, submitted } = recording();
    const app = express()
      .use(express.json(), express.text())
      .use("/gateway", createNodeHandler(gateway, options));
    const url = await listen(app as RequestListener);
    for (const [task, type, body] of [
      ["process", "text/plain", "a text"],
      ["process_bulk", "application/json", "[]"],
    ] as const) {
      for (const framing of [{}, { "transfer-encoding": "chunked" }] as Record<string, string>[]) {
        const headers = { "content-type": type, ...framing };
        const answer = await call(url, `/gateway/models/nlp/tasks/${task}`, {
          method: "POST",
          headers,
          body,
        });
        expect(answer.status).toBe(500);
        expect(answer.json.detail).toContain("mount the gateway before body parsers");
      }
    }
    expect(errors).toHaveLength(4);
    expect(submitted).toEqual([]);
    // What no parser has touched goes through.
    const headers = { "content-type": "text/plain; charset=utf-8" };
    const large = "x".repeat(10);
    const untouched = express().use(express.json()).use("/gateway", createNodeHandler(gateway, options));
    const other = await listen(untouched as RequestListener);
    const answer = await call(other, "/gateway/models/nlp/tasks/process", {
      method: "POST",
      headers,
      body: large,
    });
    expect(answer.status).toBe(200);
  });

  it("says so under Hono too", async () => {
    const { gateway } = recording();
    const app = new Hono();
    app.use(async (context, next) => {
      await context.req.raw.text();
      await next();
    });
    app.route("/", createHttpHandler(gateway, options).app);
    const server = serve({ fetch: app.fetch, port: 0, hostname: "127.0.0.1", overrideGlobalObjects: false });
    closers.push(() => server.close());
    await new Promise((resolve) => server.once("listening", resolve));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const headers = { "content-type": "text/plain" };
    const answer = await call(url, "/models/nlp/tasks/process", { method: "POST", headers, body: "x" });
    expect(answer.status).toBe(500);
    expect(answer.json.detail).toContain("before body parsers");
    expect(errors).toHaveLength(1);
  });
});

describe("a fetch handler by itself", () => {
  it("answers requests that never were on a network", async () => {
    const { gateway, submitted } = recording();
    const { fetch } = createHttpHandler(gateway);
    const send = (path: string, init?: RequestInit) => fetch(new Request(`http://gateway.test${path}`, init));
    expect(await (await send("/")).json()).toHaveProperty("message");
    const headers = { "content-type": "text/plain", prefer: "wait=0" };
    const answer = await send("/models/nlp/tasks/process?a=1", { method: "POST", headers, body: "a text" });
    expect(answer.status).toBe(202);
    expect(answer.headers.get("location")).toBe("/tasks/task-1");
    expect(submitted[0]).toMatchObject({ query: "a=1", body: Buffer.from("a text") });
    expect((await send("/models/nlp/tasks/process", { method: "POST" })).status).toBe(422);
    expect((await send(`/tasks?${"a&".repeat(1_001)}`)).status).toBe(422);
    expect((await send(`/tasks?${"a".repeat(17_000)}`)).status).toBe(414);
  });
});
