import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import express from "express";
import { WebSocket } from "undici";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { createHttpHandler } from "../../src/index.ts";
import { createNodeHandler, type HttpServer, serveHttp } from "../../src/node.ts";
import { openSocket, readUntil } from "../support/http-client.ts";
import { type RealGateway, startGateway } from "../support/real-gateway.ts";
import { type Frame, FrameReader, writeFrame } from "./frames.ts";
import { type OriginServer, startOriginServer } from "./origin-server.ts";

const adminKey = "the-key-of-the-admins";
const MASK = Buffer.from([1, 2, 3, 4]);

let origin: OriginServer;
let real: RealGateway;
let server: HttpServer;

beforeAll(async () => {
  origin = await startOriginServer();
  const direct = { share: 1, idleTimeoutMs: 400 };
  real = await startGateway({ nlp: origin.url }, { direct });
  server = await serveHttp(real.gateway, { port: 0, adminKey });
});

afterAll(async () => {
  await server.close({ drainMs: 0 });
  await real.close();
  await origin.close();
});

afterEach(() => {
  origin.seen.length = 0;
  origin.hungUp.clear();
});

function headOf(path: string, headers: Record<string, string> = {}, upgrade = "websocket"): string {
  const all = {
    ...{ Host: "h", Connection: "Upgrade", Upgrade: upgrade },
    ...{ "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version": "13" },
    ...headers,
  };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  return `GET ${path} HTTP/1.1\r\n${lines.join("")}\r\n`;
}

/** A connection of frames, once it is one. */
class Frames {
  readonly socket: Socket;
  readonly head: string;
  readonly #reader = new FrameReader();
  readonly #frames: Frame[] = [];

  private constructor(socket: Socket, head: string, rest: Buffer) {
    this.socket = socket;
    this.head = head;
    this.#frames.push(...this.#reader.read(rest));
    socket.on("data", (chunk: Buffer) => this.#frames.push(...this.#reader.read(chunk)));
  }

  static async open(
    url: string,
    path: string,
    headers?: Record<string, string>,
    early?: Buffer,
  ): Promise<Frames> {
    const socket = await openSocket(url);
    socket.write(Buffer.concat([Buffer.from(headOf(path, headers)), early ?? Buffer.alloc(0)]));
    const text = await readUntil(socket, /\r\n\r\n/);
    const end = text.indexOf("\r\n\r\n") + 4;
    return new Frames(socket, text.slice(0, end), Buffer.from(text.slice(end), "latin1"));
  }

  send(payload: string | Buffer, frame: Partial<Frame> = {}): void {
    this.socket.write(writeFrame({ ...frame, payload: Buffer.from(payload as string) }, MASK));
  }

  async next(): Promise<Frame> {
    await expect.poll(() => this.#frames.length, { interval: 1, timeout: 3_000 }).toBeGreaterThan(0);
    return this.#frames.shift() as Frame;
  }
}

describe("a WebSocket straight to a server", () => {
  it("is one for an ordinary client, with its close code", async () => {
    const socket = new WebSocket(
      `${server.url.replace("http", "ws")}/models/nlp/stream/ws?a=1&a=2`,
      "own-protocol",
    );
    const messages: string[] = [];
    socket.addEventListener("message", ({ data }) => {
      messages.push(String(data));
      if (messages.length === 2) socket.close(4_001, "enough");
    });
    // The server answers no protocol, which this client is strict about.
    const closed = new Promise<number>((resolve) => {
      socket.addEventListener("close", ({ code }) => resolve(code));
      socket.addEventListener("error", () => {});
    });
    socket.addEventListener("open", () => socket.send("a text"));
    const code = await closed;
    expect(origin.seen[0]).toMatchObject({ method: "GET", target: "/stream/ws?a=1&a=2" });
    expect(origin.seen[0]?.values("sec-websocket-protocol")).toEqual(["own-protocol"]);
    expect([code, messages]).toEqual([1006, []]);

    const other = new WebSocket(`${server.url.replace("http", "ws")}/models/nlp/stream/ws`);
    const told = new Promise<number>((resolve) =>
      other.addEventListener("close", (event) => resolve(event.code)),
    );
    other.addEventListener("message", ({ data }) => {
      messages.push(String(data));
      if (messages.length === 2) other.close(4_001, "enough");
    });
    other.addEventListener("open", () => other.send("größe"));
    expect(await told).toBe(4_001);
    expect(messages).toEqual(["hello", "größe"]);
  });

  it("carries frames as they are: in fragments, with pings between, and large", async () => {
    const frames = await Frames.open(
      server.url,
      "/models/nlp/stream/ws",
      {},
      writeFrame({ payload: Buffer.from("early") }, MASK),
    );
    expect(frames.head).toMatch(/^HTTP\/1\.1 101 Switching Protocols\r\n/);
    expect(frames.head).toMatch(/sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK\+xOo=/i);
    expect((await frames.next()).payload.toString()).toBe("hello");
    expect((await frames.next()).payload.toString()).toBe("early");
    frames.send("one ", { isFinal: false, opcode: 1 });
    frames.send("ping", { opcode: 9 });
    frames.send("two", { opcode: 0 });
    const large = Buffer.alloc(300_000, "x");
    frames.send(large, { opcode: 2 });
    expect(await frames.next()).toMatchObject({ isFinal: false, opcode: 1, payload: Buffer.from("one ") });
    expect(await frames.next()).toMatchObject({ opcode: 9 });
    expect(await frames.next()).toMatchObject({ isFinal: true, opcode: 0, payload: Buffer.from("two") });
    expect((await frames.next()).payload.equals(large)).toBe(true);
    const code = Buffer.from([0x0f, 0xa1]);
    frames.send(code, { opcode: 8 });
    expect((await frames.next()).payload.equals(code)).toBe(true);
    await expect.poll(() => frames.socket.readableEnded).toBe(true);
    frames.socket.destroy();
  });

  it("takes neither the gateway's keys nor the caller's credentials along", async () => {
    const headers = {
      "X-Modelgate-Key": adminKey,
      Authorization: "Bearer b",
      Cookie: "c=1",
      "X-Own": "1",
      Origin: "http://o",
    };
    const frames = await Frames.open(server.url, "/models/nlp/stream/ws", headers);
    const [seen] = origin.seen;
    expect([seen?.values("x-own"), seen?.values("origin")]).toEqual([["1"], ["http://o"]]);
    for (const name of ["x-modelgate-key", "authorization", "cookie"]) expect(seen?.values(name)).toEqual([]);
    frames.socket.destroy();
  });

  it("is refused by HTTP, by the gateway and by the server", async () => {
    for (const [path, status, text] of [
      ["/models/other/stream/ws", 503, /Model 'other' is not available/],
      ["/models/nlp/train_supervised", 403, /TASK_REQUIRED/],
      ["/models/nlp/refuses", 403, /\r\nset-cookie: a=1\r\nset-cookie: b=2\r\n[\s\S]*none/i],
    ] as const) {
      const socket = await openSocket(server.url);
      socket.write(headOf(path));
      const answer = await readUntil(socket, text);
      expect(answer).toMatch(new RegExp(`^HTTP/1\\.1 ${status} [\\s\\S]*connection: close\r\n`, "i"));
      await once(socket.resume(), "close");
    }
  });

  it("is told to each end when the other hangs up", async () => {
    const path = "/stream/ws?hangs=1";
    const frames = await Frames.open(server.url, `/models/nlp${path}`);
    const beganMs = performance.now();
    frames.socket.destroy();
    await expect.poll(() => origin.hungUp.has(path), { interval: 2 }).toBe(true);
    expect((origin.hungUp.get(path) ?? 0) - beganMs).toBeLessThan(100);

    const others = await Frames.open(server.url, "/models/nlp/stream/ws");
    for (const socket of origin.webSockets) socket.destroy();
    await once(others.socket, "close");

    const never = await openSocket(server.url);
    never.write(headOf("/models/nlp/never"));
    await expect.poll(() => origin.seen.some(({ target }) => target === "/never")).toBe(true);
    const hungUpMs = performance.now();
    never.end();
    await expect.poll(() => origin.hungUp.has("/never"), { interval: 2 }).toBe(true);
    expect((origin.hungUp.get("/never") ?? 0) - hungUpMs).toBeLessThan(100);
  });

  it("ends when both have been silent for too long, and not before", async () => {
    const frames = await Frames.open(server.url, "/models/nlp/stream/ws");
    for (let count = 0; count < 4; count += 1) {
      await sleep(150);
      frames.send("still here");
      await frames.next();
    }
    const beganMs = performance.now();
    await once(frames.socket, "close");
    expect(performance.now() - beganMs).toBeGreaterThan(300);
  });

  it("waits with one end until the other reads", async () => {
    const frames = await Frames.open(server.url, "/models/nlp/reads-nothing");
    const before = process.memoryUsage().arrayBuffers;
    const piece = Buffer.alloc(64 * 1024);
    let sent = 0;
    // What is taken beyond this is not in the sockets of two connections any more.
    while (sent < 64e6) {
      sent += piece.byteLength;
      if (frames.socket.write(piece)) continue;
      if ((await Promise.race([once(frames.socket, "drain"), sleep(150)])) === undefined) break;
    }
    expect(sent).toBeLessThan(48e6);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(8e6);
    frames.socket.destroy();
  });

  it("ends with its server at a drain", async () => {
    const own = await serveHttp(real.gateway, { port: 0 });
    const frames = await Frames.open(own.url, "/models/nlp/stream/ws");
    const closed = own.close({ drainMs: 50 });
    frames.send("during it");
    await frames.next();
    await Promise.all([closed, once(frames.socket, "close")]);
  });
});

describe("a request that asks in vain for another protocol", () => {
  it.each([
    ["/models/nlp/echo", "h2c", 200],
    ["/models/nlp", "websocket", 200],
    ["/nothing", "websocket", 404],
  ])("is answered as any other: %s, %s", async (path, upgrade, status) => {
    const socket = await openSocket(server.url);
    const upgrading = headOf(
      path,
      { Connection: "Upgrade, HTTP2-Settings", "HTTP2-Settings": "AAA" },
      upgrade,
    );
    socket.write(`${upgrading}GET /health HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n`);
    const text = await readUntil(socket, /"components"/);
    expect(text).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
    for (const { headers } of origin.seen) expect(JSON.stringify(headers)).not.toMatch(/h2c|http2-settings/i);
  });

  it("asks for nothing where its connection is not to be changed", async () => {
    const socket = await openSocket(server.url);
    socket.write(headOf("/models/nlp/echo", { Connection: "close" }));
    expect(await readUntil(socket, /\r\n\r\n/)).toMatch(/^HTTP\/1\.1 200 /);
  });

  it("keeps its body", async () => {
    const socket = await openSocket(server.url);
    const head = headOf(
      "/models/nlp/tasks/process",
      { "Content-Type": "text/plain", "Content-Length": "6" },
      "h2c",
    );
    socket.write(head.replace("GET", "POST"));
    await sleep(20);
    socket.write("a text");
    expect(await readUntil(socket, /submitted/)).toMatch(/^HTTP\/1\.1 200 /);
    socket.destroy();
    await expect.poll(() => origin.seen[0]?.body.toString()).toBe("a text");
  });

  it("stands in line behind the requests before it", async () => {
    origin.routes.set("/slow", (_request, response) => void setTimeout(() => response.end("slow"), 60));
    const socket = await openSocket(server.url);
    socket.write(`GET /models/nlp/slow HTTP/1.1\r\nHost: h\r\n\r\n${headOf("/models/nlp/stream/ws")}`);
    const text = await readUntil(socket, /hello/);
    expect(text).toMatch(/^HTTP\/1\.1 200 OK\r\n[\s\S]*slow[\s\S]*HTTP\/1\.1 101 /);
    socket.destroy();
  });
});

describe("a WebSocket by somebody else's server", () => {
  const closers: (() => void)[] = [];

  async function listen(made: Server): Promise<string> {
    made.listen(0, "127.0.0.1");
    await once(made, "listening");
    closers.push(() => {
      made.closeAllConnections();
      made.close();
    });
    return `http://127.0.0.1:${(made.address() as AddressInfo).port}`;
  }

  afterEach(() => {
    for (const close of closers.splice(0)) close();
  });

  it("reaches the model below the path that the handler is mounted at", async () => {
    const handler = createNodeHandler(real.gateway);
    const made = createServer(express().use("/gateway", handler) as never);
    made.on("upgrade", (incoming, socket, head) => {
      if (!handler.handleUpgrade(incoming, socket, head, "/gateway"))
        socket.end("HTTP/1.1 404 Not Found\r\n\r\n");
    });
    const url = await listen(made);
    const frames = await Frames.open(url, "/gateway/models/nlp/stream/ws");
    expect((await frames.next()).payload.toString()).toBe("hello");
    frames.socket.destroy();
    const refused = await openSocket(url);
    refused.write(headOf("/gateway/models/nlp/train_supervised"));
    expect(await readUntil(refused, /TASK_REQUIRED/)).toContain(
      "POST /gateway/models/nlp/tasks/train_supervised",
    );
    for (const path of ["/models/nlp/stream/ws", "/gateway/models/nlp", "/gateway/health"]) {
      const socket = await openSocket(url);
      socket.write(headOf(path));
      expect(await readUntil(socket, /\r\n\r\n/)).toMatch(/^HTTP\/1\.1 404 /);
    }
  });

  it("is 501 where no upgrades reach the gateway", async () => {
    const url = await listen(createServer(createNodeHandler(real.gateway)));
    const socket = await openSocket(url);
    socket.write(headOf("/models/nlp/stream/ws"));
    expect(await readUntil(socket, /handleUpgrade/)).toMatch(/^HTTP\/1\.1 501 /);
    socket.destroy();
    const { fetch } = createHttpHandler(real.gateway);
    const headers = { upgrade: "websocket", connection: "upgrade" };
    const answer = await fetch(new Request("http://h/models/nlp/stream/ws", { headers }));
    expect(answer.status).toBe(501);
    expect(origin.seen).toEqual([]);
  });
});
