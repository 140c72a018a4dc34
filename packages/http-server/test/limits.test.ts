import { once } from "node:events";
import type { Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { type Gateway, GatewayError, type SubmitRequest } from "@modelgate/core";
import { afterEach, describe, expect, it } from "vitest";
import { type HttpServer, type ServeOptions, serveHttp } from "../src/node.ts";
import { handMadeGateway, taskRecord } from "./support/hand-made-gateway.ts";
import { call, openSocket, readUntil } from "./support/http-client.ts";

describe("what serveHttp makes of bytes that are no request", () => {
  let server: HttpServer | undefined;
  const sockets: Socket[] = [];

  afterEach(async () => {
    for (const socket of sockets.splice(0)) socket.destroy();
    await server?.close({ drainMs: 0 });
  });

  async function opened(parts: Partial<Gateway> = {}, options: ServeOptions = {}): Promise<string> {
    server = await serveHttp(handMadeGateway(parts), { ...options, port: 0 });
    return server.url;
  }

  /** Everything that comes back until the connection closes. */
  async function send(url: string, ...pieces: (string | Buffer)[]): Promise<string> {
    const socket = await openSocket(url);
    sockets.push(socket);
    let text = "";
    socket.on("data", (chunk) => {
      text += chunk.toString("latin1");
    });
    const closed = once(socket, "close");
    for (const piece of pieces) socket.write(piece);
    await closed;
    return text;
  }

  function expectProblem(text: string, status: number): void {
    const [head = "", body = ""] = text.split("\r\n\r\n");
    expect(head).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
    expect(head).toMatch(/content-type: application\/json/i);
    expect(head).toMatch(/connection: close/i);
    expect(head).toMatch(new RegExp(`content-length: ${body.length}(\r|$)`, "i"));
    expect(JSON.parse(body)).toMatchObject({ status, detail: expect.any(String) });
  }

  const head = (...lines: string[]): string =>
    `${["GET / HTTP/1.1", "host: x", ...lines].join("\r\n")}\r\n\r\n`;

  it.each([
    ["no HTTP", "hello\r\n\r\n"],
    ["TLS", Buffer.from([0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3])],
    ["a header without a colon", head("bad header")],
    ["a NUL in a header", head("x: a\0b")],
    ["a space in the target", head().replace("/ ", "/a b ")],
    ["a target beyond ASCII", head().replace("/ ", "/é ")],
    ["two lengths", head("content-length: 1", "content-length: 2")],
    ["a negative length", head("content-length: -1")],
    ["a length and chunks", head("content-length: 1", "transfer-encoding: chunked")],
    ["an unknown method", head().replace("GET", "GETS")],
    ["an unknown version", head().replace("1.1", "3.7")],
    ["no Host", head().replace("host: x\r\n", "connection: close\r\n")],
  ])("is 400 for %s", async (_what, bytes) => {
    expectProblem(await send(await opened(), bytes), 400);
  });

  it("is 431 for headers that are too large, one or many", async () => {
    const url = await opened();
    expectProblem(await send(url, head(`x: ${"y".repeat(40_000)}`)), 431);
    expectProblem(await send(url, head(...Array.from({ length: 4_000 }, (_, at) => `x${at}: yyyyy`))), 431);
    expectProblem(await send(url, head().replace("/ ", `/${"a".repeat(40_000)} `)), 431);
  });

  it("is 431 for more headers than Node tells of: one that it leaves out may be the body's length", async () => {
    const url = await opened({ submit: async () => expect.unreachable() });
    const many = Array.from({ length: 1_200 }, (_, at) => `x${at}: y`);
    const request = head("content-type: text/plain", ...many, "content-length: 3");
    const text = await send(url, request.replace("GET /", "POST /models/nlp/tasks/process"), "abc");
    expect(text).toMatch(/^HTTP\/1.1 431 /);
  });

  it("is 414 for a target of more than 16 KiB, with its query", async () => {
    const url = await opened();
    for (const target of [
      `/${"a".repeat(17_000)}`,
      `/?${"a&".repeat(10_000)}`,
      `/tasks/x?${"a".repeat(17_000)}`,
    ]) {
      const answer = await call(url, target);
      expect(answer.status).toBe(414);
      expect(answer.json).toMatchObject({ title: "URI Too Long", status: 414 });
    }
    expect((await call(url, `/?${"a".repeat(16_000)}`)).status).toBe(200);
  });

  it("is 417 for an expectation that nobody meets", async () => {
    expectProblem(await send(await opened(), head("expect: 200-ok")), 417);
  });

  it("is 408 for a head that does not come to its end", async () => {
    const url = await opened({}, { headersTimeoutMs: 150, requestTimeoutMs: 400 });
    expectProblem(await send(url, "GET / HTTP/1.1\r\nhost: x\r\n"), 408);
  });

  it("is 408 for a body that does not, and nobody is told of it", async () => {
    const outcomes: string[] = [];
    const errors: unknown[] = [];
    const submit = async ({ payload }: SubmitRequest) => {
      try {
        for await (const _ of payload as AsyncIterable<Uint8Array>);
      } catch (error) {
        outcomes.push((error as Error).name);
        throw error;
      }
      return taskRecord();
    };
    const options = {
      headersTimeoutMs: 150,
      requestTimeoutMs: 400,
      onError: (each: unknown) => errors.push(each),
    };
    const url = await opened({ submit: submit as never }, options);
    const request = `POST /models/nlp/tasks/process HTTP/1.1\r\nhost: x\r\ncontent-type: text/plain\r\ncontent-length: 100000\r\n\r\n`;
    expectProblem(await send(url, request, Buffer.alloc(50_000)), 408);
    await expect.poll(() => outcomes).toEqual(["ClientGone"]);
    expect(errors).toEqual([]);
  });

  it.each(["zz\r\n", "ffffffffffffffffff\r\n", "5\r\nhelloworld", "-1\r\n"])(
    "is 400 for a chunk of %j, in the middle of an upload that is then dropped",
    async (chunk) => {
      const outcomes: string[] = [];
      const submit = async ({ payload }: SubmitRequest) => {
        try {
          for await (const _ of payload as AsyncIterable<Uint8Array>);
        } catch (error) {
          outcomes.push((error as Error).name);
          throw error;
        }
        return taskRecord();
      };
      const url = await opened({ submit: submit as never });
      const request = `POST /models/nlp/tasks/process HTTP/1.1\r\nhost: x\r\ncontent-type: text/plain\r\ntransfer-encoding: chunked\r\n\r\n`;
      const first = Buffer.concat([Buffer.from("20000\r\n"), Buffer.alloc(0x20000), Buffer.from("\r\n")]);
      expectProblem(await send(url, request, first, chunk), 400);
      await expect.poll(() => outcomes).toEqual(["ClientGone"]);
    },
  );

  it.each(["GET", "HEAD"])("never writes into an answer that has begun (%s)", async (method) => {
    const request = `${method} /nowhere HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n`;
    const text = await send(await opened(), request, "zz\r\n", "zz\r\n");
    expect(text.match(/HTTP\/1.1 \d+/g)).toEqual(["HTTP/1.1 404"]);
  });

  it("answers a whole request first, whatever came after it", async () => {
    const body = async function* (): AsyncGenerator<Uint8Array> {
      yield Buffer.from("the first half");
      await sleep(150);
      yield Buffer.from(" and the other");
    };
    const task = taskRecord({ state: "succeeded" }) as never;
    const result = async () => {
      await sleep(50);
      return { task, sizeBytes: 28, body: body() };
    };
    const url = await opened({ result });
    const request = head().replace("/ ", "/tasks/task-1?download=1 ");
    for (const waitMs of [0, 120]) {
      const socket = await openSocket(url);
      sockets.push(socket);
      let text = "";
      socket.on("data", (chunk) => {
        text += chunk.toString("latin1");
      });
      socket.write(request);
      await sleep(waitMs);
      socket.write("no HTTP at all\r\n\r\n");
      await once(socket, "close");
      expect(text).toMatch(/^HTTP\/1.1 200 [\s\S]*\r\n\r\nthe first half and the otherHTTP\/1.1 400 /);
    }
  });

  it("takes what HTTP/1.0 and proxies send", async () => {
    const url = await opened();
    expect(await send(url, "GET / HTTP/1.0\r\n\r\n")).toMatch(/^HTTP\/1.1 200 /);
    const socket = await openSocket(url);
    sockets.push(socket);
    socket.write(head().replace("/ ", "http://gateway.test/health?x=1 "));
    expect(await readUntil(socket, /\}$/)).toMatch(/^HTTP\/1.1 501 /);
  });

  it("answers many requests that were sent at once, in their order", async () => {
    const get = async (id: string) => {
      if (id.startsWith("x")) throw new GatewayError("TASK_UNKNOWN", "no such task");
      return taskRecord({ id });
    };
    const url = await opened({ get });
    const socket = await openSocket(url);
    sockets.push(socket);
    const ids = Array.from({ length: 30 }, (_, at) => (at % 3 === 0 ? `x${at}` : `t${at}`));
    socket.write(ids.map((id) => head().replace("/ ", `/tasks/${id} `)).join(""));
    const text = await readUntil(socket, /t29","status":"pending"\}$/);
    const seen = [...text.matchAll(/(?:uuid":"|Task ')([xt]\d+)/g)].map(([, id]) => id);
    expect(seen).toEqual(ids);
  });
});
