import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { ModelServer } from "../../src/contracts/discovery.ts";
import type { ServerProtocol } from "../../src/contracts/server-protocol.ts";
import { cmsProtocol } from "../../src/protocols/cms.ts";
import type {
  PassAct,
  ReceivedCall,
  ReceivedPass,
  ServerAct,
  ServerProtocolFixture,
} from "../../src/testing/server-protocol-kit/fixture.ts";

const INFO = '{"api_version": "0.0.1",  "model_type":"medcat_snomed"}\n';

/** A server on a real socket that does as told, and the protocol that speaks to it. */
export async function openCms(
  change: (good: ServerProtocol) => Partial<ServerProtocol> = () => ({}),
): Promise<ServerProtocolFixture> {
  const model = await ModelServerOnWire.start();
  const good = cmsProtocol({ probeTimeoutMs: 5000 });
  const nobody = await freePort();
  return {
    protocol: { ...good, ...change(good) },
    server: serverAt(model.port),
    unreachable: serverAt(nobody),
    operation: { name: "process", contentType: "text/plain" },
    background: { name: "train_supervised", contentType: "multipart/form-data; boundary=b" },
    acts: ["answer", "accept", "busy", "reset", "hang", "bad_gateway", "reject", "break_off"],
    act: (act) => {
      model.act = act;
    },
    received: model.received,
    endRun: async (taskId, how) => {
      model.runs.set(taskId, how === "succeeded" ? "FINISHED" : "FAILED");
    },
    cancelled: model.cancelled,
    passing: {
      received: model.passed,
      act: (act) => {
        model.passAct = act;
      },
    },
    setReady: (isReady) => {
      model.isReady = isReady;
    },
    info: { bytes: new TextEncoder().encode(INFO), contentType: "application/json" },
    held: () => model.sockets.size,
    async close() {
      await good.close();
      await model.stop();
    },
  };
}

function serverAt(port: number): ModelServer {
  return { id: "s", url: `http://127.0.0.1:${port}`, models: ["m"], protocol: "cms", state: "ready" };
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

interface WirePass extends ReceivedPass {
  isGivenUp: boolean;
}

interface WireCall extends ReceivedCall {
  isGivenUp: boolean;
  runId: string | undefined;
}

class ModelServerOnWire {
  act: ServerAct = { act: "hang" };
  passAct: PassAct = { act: "hang" };
  readonly passed: WirePass[] = [];
  isReady = true;
  readonly received: WireCall[] = [];
  /** What became of the run of each task, in the tracker's words. */
  readonly runs: Map<string, string> = new Map();
  readonly cancelled: string[] = [];
  readonly sockets: Set<Socket> = new Set();
  readonly #server: Server;

  static async start(): Promise<ModelServerOnWire> {
    const model = new ModelServerOnWire();
    model.#server.listen(0, "127.0.0.1");
    await once(model.#server, "listening");
    return model;
  }

  private constructor() {
    this.#server = createServer((request, response) => {
      this.#take(request, response).catch(() => request.socket.destroy());
    });
    this.#server.on("connection", (socket) => {
      this.sockets.add(socket);
      socket.on("close", () => this.sockets.delete(socket));
    });
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  async stop(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, "close");
  }

  async #take(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const [path = "", query = ""] = (request.url ?? "").split(/\?(.*)/s);
    if (path.startsWith("/straight")) return await this.#pass(request, response);
    if (path === "/readyz") return void response.writeHead(this.isReady ? 200 : 503).end();
    if (path === "/info")
      return void response.writeHead(200, { "content-type": "application/json" }).end(INFO);
    if (path === "/train_eval_info") return this.#tellRun(new URLSearchParams(query), response);
    if (path === "/cancel_training") {
      for (const [taskId, status] of this.runs) if (status === "RUNNING") this.cancelled.push(taskId);
      return void response.writeHead(202).end();
    }
    if (request.method === "GET") return void response.writeHead(404).end();
    const body = bytesOf(request);
    body.catch(() => {});
    const call: WireCall = {
      query,
      contentType: request.headers["content-type"],
      body,
      runId: undefined,
      isGivenUp: false,
    };
    this.received.push(call);
    response.on("close", () => {
      if (!response.writableFinished) call.isGivenUp = true;
    });
    await body;
    await this.#perform(call, response);
  }

  async #pass(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = bytesOf(request);
    body.catch(() => {});
    const { method = "", url: target = "", rawHeaders } = request;
    const headers = rawHeaders.flatMap((name, at) =>
      at % 2 === 0 ? [[name, rawHeaders[at + 1] ?? ""] as const] : [],
    );
    const pass: WirePass = { method, target, headers, body, isGivenUp: false };
    this.passed.push(pass);
    response.on("close", () => {
      if (!response.writableFinished) pass.isGivenUp = true;
    });
    const { passAct: act } = this;
    if (act.act === "reset") response.destroy();
    if (act.act !== "answer") return;
    response.writeHead(act.status, act.headers.flat());
    response.flushHeaders();
    await pipeline(Readable.from(act.body(), { objectMode: false }), response);
  }

  async #perform(call: WireCall, response: ServerResponse): Promise<void> {
    const { act } = this;
    if (act.act === "answer") {
      const disposition = act.disposition && { "content-disposition": act.disposition };
      response.writeHead(200, { "content-type": act.contentType, ...disposition });
      await pipeline(Readable.from(act.body(), { objectMode: false }), response);
    } else if (act.act === "accept") {
      const taskId = new URLSearchParams(call.query).get("tracking_id") ?? "";
      call.runId = `run of ${taskId}`;
      this.runs.set(taskId, "RUNNING");
      answerJson(response, 202, { run_id: call.runId });
    } else if (act.act === "busy") {
      const { retryAfterMs, blockingRunId } = act;
      if (retryAfterMs !== undefined) response.setHeader("retry-after", String(retryAfterMs / 1000));
      answerJson(response, 503, blockingRunId === undefined ? {} : { run_id: blockingRunId });
    } else if (act.act === "bad_gateway") response.writeHead(502).end("no answer");
    else if (act.act === "reject")
      response.writeHead(400, { "content-type": act.contentType }).end(act.bytes);
    else if (act.act === "reset") response.destroy();
    else if (act.act === "break_off") {
      response.writeHead(200, { "content-length": String(act.first.byteLength + 100) });
      response.write(act.first, () => setTimeout(() => response.destroy(), 20));
    }
  }

  #tellRun(query: URLSearchParams, response: ServerResponse): void {
    const taskId = query.get("train_eval_id") ?? "";
    const status = this.runs.get(taskId);
    if (status === undefined) answerJson(response, 404, []);
    else answerJson(response, 200, [{ run_id: `run of ${taskId}`, status, start_time: 1 }]);
  }
}

function answerJson(response: ServerResponse, status: number, document: unknown): void {
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(document));
}

async function bytesOf(request: IncomingMessage): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of request) chunks.push(chunk as Uint8Array);
  return Buffer.concat(chunks);
}
