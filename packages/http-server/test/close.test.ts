import { once } from "node:events";
import { connect } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import type { Gateway, TaskRecord } from "@modelgate/core";
import { afterEach, describe, expect, it } from "vitest";
import { type HttpServer, serveHttp } from "../src/node.ts";
import { handMadeGateway, taskRecord } from "./support/hand-made-gateway.ts";
import { call, openSocket, readUntil } from "./support/http-client.ts";

describe("serveHttp", () => {
  let server: HttpServer | undefined;

  afterEach(() => server?.close({ drainMs: 0 }));

  async function opened(parts: Partial<Gateway> = {}): Promise<HttpServer> {
    server = await serveHttp(handMadeGateway(parts), { port: 0 });
    return server;
  }

  it("listens on loopback only, on a free port when asked for none", async () => {
    const { url, port } = await opened();
    expect(url).toBe(`http://127.0.0.1:${port}`);
    expect(port).toBeGreaterThan(0);
    expect((await call(url, "/")).status).toBe(200);
  });

  it("rejects when the port is in use, and when it is no port", async () => {
    const { port } = await opened();
    await expect(serveHttp(handMadeGateway(), { port })).rejects.toMatchObject({ code: "EADDRINUSE" });
    await expect(serveHttp(handMadeGateway(), { port: 70_000 })).rejects.toMatchObject({
      code: "INVALID_OPTIONS",
      details: { field: "port" },
    });
  });

  it("does not wait for a connection that nothing ever came over", async () => {
    const { port, close } = await opened();
    const socket = connect(port, "127.0.0.1");
    await once(socket, "connect");
    const closed = once(socket, "close");
    const startedMs = performance.now();
    await close();
    await closed;
    expect(performance.now() - startedMs).toBeLessThan(5_000);
  });

  it("answers what has begun, on a connection that it then closes, and takes nothing new", async () => {
    const get = async (): Promise<TaskRecord> => {
      await sleep(300);
      return taskRecord();
    };
    const { url, close } = await opened({ get });
    const socket = await openSocket(url);
    socket.write("GET /tasks/task-1 HTTP/1.1\r\nhost: x\r\n\r\n");
    await sleep(50);
    const closed = close({ drainMs: 5_000 });
    await expect(call(url, "/")).rejects.toThrow(/ECONNREFUSED/);
    const answer = await readUntil(socket, /\}$/);
    expect(answer).toMatch(/^HTTP\/1.1 200 /);
    expect(answer).toMatch(/connection: close/i);
    await closed;
  });

  it("closes connections that are idle at once, and is closed by any number of calls", async () => {
    const { url, close } = await opened();
    const socket = await openSocket(url);
    socket.write("GET / HTTP/1.1\r\nhost: x\r\n\r\n");
    await readUntil(socket, /\}$/);
    const begun = performance.now();
    await Promise.all([close({ drainMs: 5_000 }), close()]);
    expect(performance.now() - begun).toBeLessThan(1_000);
  });

  it("tells whoever still waits for a task how far it is when the drain is over", async () => {
    const wait = (_id: string, { signal }: { signal?: AbortSignal | undefined } = {}): Promise<TaskRecord> =>
      new Promise((_resolve, reject) => signal?.addEventListener("abort", () => reject(signal.reason)));
    const { url, close } = await opened({
      wait,
      submit: (async () => taskRecord()) as unknown as Gateway["submit"],
      get: async () => taskRecord({ state: "scheduled" }),
    });
    const waiting = call(url, "/models/nlp/tasks/process", {
      method: "POST",
      headers: { "content-type": "text/plain", prefer: "wait=60" },
      body: "x",
    });
    await sleep(50);
    const begun = performance.now();
    await close({ drainMs: 200 });
    expect(performance.now() - begun).toBeLessThan(1_500);
    expect((await waiting).status).toBe(202);
    expect((await waiting).json).toEqual({ uuid: "task-1", status: "scheduled" });
  });

  it("cuts off what does not end within the drain", async () => {
    const { url, close } = await opened({ get: () => new Promise(() => {}) });
    const socket = await openSocket(url);
    socket.write("GET /tasks/task-1 HTTP/1.1\r\nhost: x\r\n\r\n");
    await sleep(50);
    const gone = once(socket, "close");
    await close({ drainMs: 100 });
    await gone;
  });

  it("serves many requests on one connection, one after the other", async () => {
    const { url } = await opened({ get: async (id) => taskRecord({ id }) });
    const socket = await openSocket(url);
    for (const id of ["a", "b", "c"]) {
      socket.write(`GET /tasks/${id}/ HTTP/1.1\r\nhost: x\r\n\r\n`);
      expect(await readUntil(socket, /\}$/)).toContain(`{"uuid":"${id}","status":"pending"}`);
    }
    socket.destroy();
  });
});
