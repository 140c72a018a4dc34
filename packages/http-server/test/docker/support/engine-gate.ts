import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type IncomingMessage, request, type Server, type ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Traps } from "./trap.ts";

/** What a server had to do when a gateway was about to stop it. */
export interface Stop {
  /** `METHOD /path` of the call. */
  readonly call: string;
  readonly member: number;
  readonly atMs: number;
  readonly inFlight: number;
}

export interface EngineGateOptions {
  readonly enginePath: string;
  /** The number of the gateway that it stands before. */
  readonly member: number;
  readonly traps: Traps;
  /** Says how many calls of tasks are under way in a container. */
  readonly workIn: (id: string) => Promise<number>;
  readonly stops: Stop[];
}

/** Stands between one gateway and the engine, and looks at a server before it is stopped or removed. */
export class EngineGate {
  readonly socketPath: string;
  readonly #folder: string;
  readonly #options: EngineGateOptions;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(folder: string, options: EngineGateOptions) {
    this.#folder = folder;
    this.#options = options;
    this.socketPath = join(folder, "engine.sock");
    this.#server = createServer((incoming, response) => {
      this.#pass(incoming, response).catch(() => response.destroy());
    });
    this.#server.keepAliveTimeout = 60_000;
    this.#server.on("connection", (socket) => {
      this.#sockets.add(socket);
      socket.on("error", () => {});
      socket.on("close", () => this.#sockets.delete(socket));
    });
  }

  static async open(options: EngineGateOptions): Promise<EngineGate> {
    const folder = await mkdtemp(join(tmpdir(), "modelgate-gate-"));
    const gate = new EngineGate(folder, options);
    gate.#server.listen(gate.socketPath);
    await once(gate.#server, "listening");
    return gate;
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await rm(this.#folder, { recursive: true, force: true });
  }

  async #pass(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    const { traps, member, enginePath } = this.#options;
    const { method = "GET", url = "/", headers } = incoming;
    const call = `${method} ${new URL(url, "http://engine").pathname.replace(/^\/v[\d.]+/, "")}`;
    const body = Buffer.concat(await incoming.toArray());
    const trap = traps.current;
    if (trap?.takes("engine", "before", call) === true && !(await trap.hold(member))) {
      response.destroy();
      return;
    }
    await this.#note(call);
    const sent = request({ socketPath: enginePath, method, path: url, headers, agent: false });
    sent.on("error", () => response.destroy());
    if (trap?.takes("engine", "after", call) === true) {
      sent.end(body);
      const [answer] = (await once(sent, "response")) as [IncomingMessage];
      const content = Buffer.concat(await answer.toArray());
      if (!(await trap.hold(member))) {
        response.destroy();
        return;
      }
      response.writeHead(answer.statusCode ?? 502, answer.headers).end(content);
      return;
    }
    response.on("close", () => sent.destroy());
    sent.on("response", (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      response.flushHeaders();
      answer.on("error", () => response.destroy());
      answer.pipe(response);
    });
    sent.end(body);
  }

  async #note(call: string): Promise<void> {
    const id = /^(?:POST \/containers\/([0-9a-f]{64})\/stop|DELETE \/containers\/([0-9a-f]{64}))$/.exec(call);
    const container = id?.[1] ?? id?.[2];
    if (container === undefined) return;
    const { workIn, stops, member } = this.#options;
    stops.push({ call, member, inFlight: await workIn(container), atMs: Date.now() });
  }
}
