import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import type { Authenticator } from "../auth/authenticator.ts";
import type { Fault, FaultSwitch } from "../faults.ts";
import { type Answer, busy, json, message, notFound } from "../http/answer.ts";
import { markEntities } from "../routes/mark-entities.ts";
import type { Model } from "../routes/model.ts";
import type { Stats } from "../stats.ts";
import { WebSocketConnection } from "./connection.ts";
import { closeCodes } from "./frames.ts";
import { acceptWebSocket, asksForWebSocket, refuseUpgrade } from "./handshake.ts";

export interface UpgradesOptions {
  model: Model;
  stats: Stats;
  faults: FaultSwitch | undefined;
  authenticator: Authenticator | undefined;
  idleMs: number;
}

const route = "/stream/ws";
/** Far above a note; a longer one is closed with 1009. */
const largestBytes = 1024 * 1024;

/** The WebSockets of a server: who asks for one, and those that are open. */
export class Upgrades {
  readonly #options: UpgradesOptions;
  readonly #connections = new Set<WebSocketConnection>();

  constructor(options: UpgradesOptions) {
    this.#options = options;
  }

  handle(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const { stats, faults } = this.#options;
    socket.on("error", () => socket.destroy());
    const [path = "/"] = (request.url ?? "/").split("?", 1);
    stats.received(path === route ? route : "other");
    const refusal = this.#refusal(request, path);
    if (refusal) {
      stats.finished(path === route ? route : "other", refusal.status);
      refuseUpgrade(socket, refusal);
      return;
    }
    const fault = faults?.take(route, true, []);
    if (fault) stats.faulted(fault.kind);
    if (fault && this.#isRefusedBy(fault, socket)) return;
    acceptWebSocket(request, socket);
    stats.finished(route, 101);
    this.#serve(socket, head, fault);
  }

  #refusal(request: IncomingMessage, path: string): Answer | undefined {
    const { authenticator } = this.#options;
    if (path !== route) return notFound;
    if (!asksForWebSocket(request)) return json(400, { detail: "Bad Request" });
    // Uvicorn turns a close before the handshake, as CMS asks for with 1008, into this.
    return authenticator && authenticator.userOf(request) === undefined ? forbidden : undefined;
  }

  /** Closes all that are open, as a server does that is about to go. */
  close(): void {
    for (const connection of this.#connections) connection.close(closeCodes.serviceRestart);
  }

  #isRefusedBy({ kind, status, ms }: Fault, socket: Duplex): boolean {
    switch (kind) {
      case "error":
        refuseUpgrade(socket, message(status, "The fault switch made this request fail."));
        return true;
      case "busy":
        refuseUpgrade(socket, busy(Math.max(1, Math.ceil(ms / 1_000))));
        return true;
      case "reset":
      case "die_mid_body":
        socket.destroy();
        return true;
      case "hang":
        return true;
      default:
        return false;
    }
  }

  #serve(socket: Duplex, head: Buffer, fault: Fault | undefined): void {
    const { model, stats, idleMs } = this.#options;
    const gone = new AbortController();
    let answered = 0;
    const onText = async (text: string): Promise<string | undefined> => {
      stats.began();
      stats.textsReceived([text]);
      try {
        if (fault?.kind === "break_off" && answered >= (fault.after ?? 1)) connection.destroy();
        if (fault?.kind === "stall" && answered >= (fault.after ?? 1)) return undefined;
        if (fault?.kind === "delay" || fault?.kind === "slow_first_byte") await pause(fault.ms, gone.signal);
        const { marked, count } = await markEntities(model, text, gone.signal);
        model.metrics.annotated(route, count);
        answered += 1;
        stats.textsAnswered([text]);
        return marked;
      } finally {
        stats.ended();
      }
    };
    const connection = new WebSocketConnection(socket, head, { largestBytes, idleMs, onText });
    this.#connections.add(connection);
    stats.webSocketOpened();
    socket.once("close", () => {
      gone.abort();
      stats.webSocketClosed();
      this.#connections.delete(connection);
    });
  }
}

const forbidden = message(403, "Forbidden");

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      resolve();
    });
  });
}
