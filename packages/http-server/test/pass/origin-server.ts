import { createHash } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import type { Duplex } from "node:stream";
import { FrameReader, writeFrame } from "./frames.ts";

/** A request as it arrived. */
export interface Seen {
  readonly method: string;
  readonly target: string;
  /** In their order, names as they were spelt. */
  readonly headers: readonly (readonly [string, string])[];
  readonly body: Buffer;
  /** Values of a header, by its lower-case name. */
  values(name: string): string[];
}

export interface OriginServer {
  readonly url: string;
  readonly seen: Seen[];
  /** Whether it says that it is ready. */
  isReady: boolean;
  /** Connections whose request was under way when they closed, with the time, by the target. */
  readonly hungUp: Map<string, number>;
  /** What answers a path; without one, `/readyz` and an echo. */
  readonly routes: Map<string, (request: IncomingMessage, response: ServerResponse) => void>;
  /** Connections that speak WebSocket now. */
  readonly webSockets: Set<Duplex>;
  close(): Promise<void>;
}

/** A server of a model that answers what a test says it does. */
export async function startOriginServer(): Promise<OriginServer> {
  const seen: Seen[] = [];
  const hungUp: OriginServer["hungUp"] = new Map();
  const routes: OriginServer["routes"] = new Map();
  const webSockets = new Set<Duplex>();
  const sockets = new Set<Socket>();

  const server = createServer((request, response) => {
    const target = request.url ?? "";
    if (target === "/readyz") return void response.writeHead(origin.isReady ? 200 : 503).end("ready");
    response.once("close", () => {
      if (!response.writableFinished) hungUp.set(target, performance.now());
    });
    const route = routes.get(target.split("?")[0] ?? "");
    if (route !== undefined) route(request, response);
    else void echo(request, response);
  });
  server.on("upgrade", (request, socket) => {
    seen.push(seenOf(request, Buffer.alloc(0)));
    if (request.url?.startsWith("/refuses") === true) {
      socket.end(
        "HTTP/1.1 403 Forbidden\r\nContent-Type: text/plain\r\nContent-Length: 4\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\n\r\nnone",
      );
    } else if (request.url?.startsWith("/never") === true) {
      socket.on("end", () => hungUp.set(request.url ?? "", performance.now()));
      socket.resume();
    } else echoFrames(request, socket);
  });
  server.on("connection", (socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
  });

  async function echo(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    try {
      for await (const chunk of request) chunks.push(chunk as Buffer);
    } catch {
      return;
    }
    const body = Buffer.concat(chunks);
    seen.push(seenOf(request, body));
    response.writeHead(200, { "content-type": "application/octet-stream", "content-length": body.length });
    response.end(body);
  }

  function echoFrames(request: IncomingMessage, socket: Duplex): void {
    const key = `${request.headers["sec-websocket-key"]}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`;
    const accept = createHash("sha1").update(key).digest("base64");
    const head = `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`;
    webSockets.add(socket);
    socket.once("close", () => {
      webSockets.delete(socket);
      hungUp.set(request.url ?? "", performance.now());
    });
    socket.on("error", () => {});
    const reader = new FrameReader();
    // The greeting leaves with the head, so that whoever reads only the head of it loses the rest.
    socket.write(Buffer.concat([Buffer.from(head), writeFrame({ payload: Buffer.from("hello") })]));
    if (request.url?.startsWith("/reads-nothing") === true) return;
    socket.on("data", (chunk: Buffer) => {
      for (const frame of reader.read(chunk)) {
        socket.write(writeFrame(frame));
        if (frame.opcode === 8) socket.end();
      }
    });
    socket.on("end", () => socket.end());
  }

  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const origin: OriginServer = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    isReady: true,
    ...{ seen, hungUp, routes, webSockets },
    async close() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return origin;
}

function seenOf({ method = "", url = "", rawHeaders }: IncomingMessage, body: Buffer): Seen {
  const headers: [string, string][] = [];
  for (let at = 0; at < rawHeaders.length; at += 2)
    headers.push([rawHeaders[at] ?? "", rawHeaders[at + 1] ?? ""]);
  return {
    ...{ method, headers, body },
    target: url,
    values: (name) => headers.filter(([each]) => each.toLowerCase() === name).map(([, value]) => value),
  };
}
