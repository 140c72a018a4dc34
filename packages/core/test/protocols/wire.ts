import { once } from "node:events";
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from "node:http";
import { type AddressInfo, createServer as createRawServer, type Server, type Socket } from "node:net";
import { onTestFinished } from "vitest";
import type { ByteStream } from "../../src/contracts/common.ts";
import type { ModelServer } from "../../src/contracts/discovery.ts";
import type { CallOutcome, ServerCall, ServerProtocol } from "../../src/contracts/server-protocol.ts";
import { type CmsProtocolOptions, cmsProtocol } from "../../src/protocols/cms.ts";

/** A server of this test alone, on a real socket. */
export interface Wire {
  readonly server: ModelServer;
  readonly port: number;
  /** Every connection that was ever opened to it. */
  readonly sockets: Socket[];
}

async function listen(server: Server, path: string): Promise<Wire> {
  const sockets: Socket[] = [];
  server.on("connection", (socket: Socket) => {
    sockets.push(socket);
    socket.on("error", () => {});
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  return { server: modelServer(`http://127.0.0.1:${port}${path}`), port, sockets };
}

/** Speaks HTTP. */
export function httpWire(listener: RequestListener, path: string = ""): Promise<Wire> {
  const server = createServer(listener);
  server.keepAliveTimeout = 60_000;
  return listen(server, path);
}

/** Speaks whatever `onConnection` writes. */
export function rawWire(onConnection: (socket: Socket) => void): Promise<Wire> {
  return listen(createRawServer(onConnection), "");
}

/** Calls `onRequest` for each POST that comes in, whose headers and body may be two pieces. */
export function onPosts(socket: Socket, onRequest: (count: number) => void): void {
  let count = 0;
  socket.on("data", (chunk) => {
    if (!chunk.toString("latin1").startsWith("POST ")) return;
    count += 1;
    onRequest(count);
  });
}

/** Answers with `text` as soon as a request's headers have come. */
export function cannedWire(text: string, options: { readonly end?: boolean } = {}): Promise<Wire> {
  return rawWire((socket) => {
    socket.once("data", () => {
      socket.write(text, "latin1");
      if (options.end === true) socket.end();
    });
  });
}

export function modelServer(url: string): ModelServer {
  return { id: "s1", url, models: ["m"], protocol: "cms", state: "ready" };
}

/** A protocol that is closed with its test. */
export function open(options: CmsProtocolOptions = {}): ServerProtocol {
  const protocol = cmsProtocol(options);
  onTestFinished(() => protocol.close());
  return protocol;
}

export function callTo(server: ModelServer, overrides: Partial<ServerCall> = {}): ServerCall {
  const payload = overrides.payload ?? Buffer.from("a note");
  return {
    server,
    model: "m",
    operation: "process",
    taskId: "task-1",
    query: "",
    contentType: "text/plain",
    sizeBytes: payload instanceof Uint8Array ? payload.byteLength : 0,
    onSend: () => {},
    timeoutMs: 5000,
    ...overrides,
    payload,
  };
}

export async function bytesOf(stream: ByteStream): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** The body of an outcome that has an answer. */
export function bodyOf(outcome: CallOutcome): ByteStream {
  if (outcome.kind !== "done" && outcome.kind !== "rejected") throw new Error(`no answer: ${outcome.kind}`);
  return outcome.answer.body;
}

export async function bodyReceived(request: IncomingMessage): Promise<Buffer> {
  return bytesOf(request);
}

/** Answers `status` with a JSON document. */
export function answerJson(response: ServerResponse, status: number, document: unknown): void {
  response.writeHead(status, { "content-type": "application/json" });
  response.end(JSON.stringify(document));
}

export async function* pieces(...texts: (string | Uint8Array)[]): AsyncGenerator<Uint8Array> {
  for (const text of texts) yield Buffer.from(text);
}
