import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer, request, type Server } from "node:http";
import type { Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface Asked {
  readonly method: string;
  /** Without the version and the query. */
  readonly path: string;
  readonly query: URLSearchParams;
}

/** Between a deployer and its engine: counts, forbids, hangs, and goes away. */
export class EngineProxy {
  readonly asked: Asked[] = [];
  readonly socketPath: string;
  /** What is not allowed is answered with 403, as filters of the engine's socket do. */
  isAllowed: (asked: Asked) => boolean = () => true;
  /** What goes wrong with a call: it is lost on its way there, its answer is, or it stalls in the middle. */
  fault: (asked: Asked) => "lose-request" | "lose-answer" | "stall-body" | undefined = () => undefined;
  mode: "passing" | "hanging" | "away" = "passing";
  readonly #folder: string;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(folder: string, enginePath: () => string) {
    this.#folder = folder;
    this.socketPath = join(folder, "engine.sock");
    this.#server = createServer((incoming, response) => {
      const url = new URL(incoming.url ?? "/", "http://engine");
      const asked = {
        method: incoming.method ?? "",
        path: url.pathname.replace(/^\/v[\d.]+/, ""),
        query: url.searchParams,
      };
      this.asked.push(asked);
      if (this.mode === "hanging") return;
      if (!this.isAllowed(asked)) {
        response.writeHead(403).end("forbidden by the proxy");
        return;
      }
      const fault = this.fault(asked);
      if (fault === "lose-request") {
        incoming.socket.destroy();
        return;
      }
      const { method, url: path, headers } = incoming;
      const sent = request({ socketPath: enginePath(), method, path, headers, agent: false }, (answer) => {
        if (fault === "lose-answer") {
          answer.resume().on("end", () => incoming.socket.destroy());
          return;
        }
        response.writeHead(answer.statusCode ?? 502, answer.headers);
        response.flushHeaders();
        if (fault === "stall-body") {
          answer.once("data", (piece) => response.write(piece) && answer.pause());
          return;
        }
        answer.pipe(response);
        answer.on("error", () => response.destroy());
      });
      sent.on("error", () => response.destroy());
      response.on("close", () => sent.destroy());
      incoming.pipe(sent);
    });
    this.#server.on("connection", (socket) => {
      this.#sockets.add(socket);
      socket.on("close", () => this.#sockets.delete(socket));
      if (this.mode === "away") socket.destroy();
    });
    this.#server.keepAliveTimeout = 60_000;
  }

  static async start(enginePath: string | (() => string)): Promise<EngineProxy> {
    const folder = await mkdtemp(join(tmpdir(), "engine-proxy-"));
    const proxy = new EngineProxy(folder, typeof enginePath === "string" ? () => enginePath : enginePath);
    proxy.#server.listen(proxy.socketPath);
    await once(proxy.#server, "listening");
    return proxy;
  }

  get connections(): number {
    return this.#sockets.size;
  }

  count(method: string, path: RegExp): number {
    return this.asked.filter((asked) => asked.method === method && path.test(asked.path)).length;
  }

  /** Breaks every connection, and refuses new ones. */
  goAway(): void {
    this.mode = "away";
    for (const socket of this.#sockets) socket.destroy();
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await rm(this.#folder, { recursive: true, force: true });
  }
}
