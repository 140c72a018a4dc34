import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { Gateway } from "@modelgate/core";
import { negotiated, problem } from "../answers.ts";
import { createContext } from "../context.ts";
import { type HttpOptions, invalidOption } from "../options.ts";
import { createRouter } from "../router.ts";
import { createRoutes } from "../routes/index.ts";
import { answerClientError, refuseConnect } from "./client-error.ts";
import { declineUpgrade } from "./decline-upgrade.ts";
import { nodeListener } from "./listener.ts";
import type { Passage } from "./passage.ts";
import { sendResponse } from "./send-response.ts";
import { upgradeListener } from "./upgrade.ts";

export interface ServeOptions extends HttpOptions {
  /** Default `127.0.0.1`: nobody outside this machine. */
  readonly host?: string | undefined;
  /** 0 takes a free one. Default 8888. */
  readonly port?: number | undefined;
  /**
   * User agents, by their beginning or by an expression, whose connection is closed after each answer. Default
   * `python-httpx/`: the synchronous client of CogStack's gateway runs each call in an event loop of its own and fails
   * on a connection that the one before has left open.
   */
  readonly closeConnectionFor?: readonly (string | RegExp)[] | undefined;
  /** How long the head of a request may take to arrive. Default 60,000. */
  readonly headersTimeoutMs?: number | undefined;
  /** How long a whole request may take to arrive. Default 3,600,000: a large upload over a slow line is legitimate. */
  readonly requestTimeoutMs?: number | undefined;
}

export interface CloseOptions {
  /** How long answers may still take; then whoever waits for a task is told how far it is. Default 10,000. */
  readonly drainMs?: number | undefined;
}

export interface HttpServer {
  readonly url: string;
  readonly port: number;
  /** Takes no more connections, and answers what has begun. Idempotent. The gateway stays as it is. */
  close(options?: CloseOptions): Promise<void>;
}

/** Long enough for a last answer to get out. */
const FLUSH_MS = 500;

/** All headers together, the target included, which may have half of it. */
const MAX_HEADER_BYTES = 32 * 1024;

const direct: Passage = { mountPath: "", awaitsContinue: false, next: undefined };
const heldBack: Passage = { ...direct, awaitsContinue: true };

/** Listens. Rejects with Node's own error when it cannot, such as `EADDRINUSE`. */
export async function serveHttp(gateway: Gateway, options: ServeOptions = {}): Promise<HttpServer> {
  const {
    host = "127.0.0.1",
    port = 8888,
    headersTimeoutMs = 60_000,
    requestTimeoutMs = 3_600_000,
  } = options;
  if (!Number.isInteger(port) || port < 0 || port > 65_535) {
    throw invalidOption("port", port, "give a number from 0 to 65535");
  }
  for (const [field, value] of Object.entries({ headersTimeoutMs, requestTimeoutMs })) {
    if (!Number.isSafeInteger(value) || value < 1)
      throw invalidOption(field, value, "give a whole number from 1");
  }
  const { closeConnectionFor = ["python-httpx/"] } = options;
  const context = createContext(gateway, { ...options, closeConnectionFor });
  let closing: Promise<void> | undefined;
  const isClosing = (): boolean => closing !== undefined;
  const find = createRouter(createRoutes(context), context.options.basePath);
  const listener = nodeListener(context, find, isClosing);
  const upgraded = new Set<Duplex>();
  const upgrade = upgradeListener(context, find, upgraded);

  const server = createServer({
    // Longer than the idle time of common proxies, so that it is never this end that closes under a request.
    keepAliveTimeout: 75_000,
    headersTimeout: headersTimeoutMs,
    requestTimeout: requestTimeoutMs,
    connectionsCheckingInterval: Math.min(30_000, headersTimeoutMs, requestTimeoutMs),
    maxHeaderSize: MAX_HEADER_BYTES,
    // Node's own refusal has no body.
    requireHostHeader: false,
  });
  server.on("request", (incoming, response) => {
    if (incoming.headers.host === undefined && incoming.httpVersion === "1.1") {
      return refuse(incoming, response, 400, "A request of HTTP/1.1 must have a Host header.");
    }
    listener(incoming, response, direct);
  });
  server.on("checkContinue", (incoming, response) => listener(incoming, response, heldBack));
  server.on("checkExpectation", (incoming, response) =>
    refuse(incoming, response, 417, "Only 100-continue can be expected."),
  );
  server.on("upgrade", (incoming, socket, head) => {
    if (!upgrade(incoming, socket, head)) declineUpgrade(server, incoming, socket, head);
  });
  server.on("connect", refuseConnect);
  server.on("clientError", answerClientError);
  const connections = trackConnections(server);
  await listen(server, host, port);

  const address = server.address() as AddressInfo;
  return {
    url: `http://${host.includes(":") ? `[${host}]` : host}:${address.port}`,
    port: address.port,
    close(closeOptions = {}) {
      closing ??= closeServer(server, { connections, upgraded }, () => context.waits.release(), closeOptions);
      return closing;
    },
  };
}

function refuse(incoming: IncomingMessage, response: ServerResponse, status: number, detail: string): void {
  void sendResponse(negotiated(problem(status, detail), incoming.headers.accept), incoming, response, true);
}

function listen(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, () => {
      server.off("error", reject);
      resolve();
    });
  });
}

function trackConnections(server: Server): Set<Socket> {
  const connections = new Set<Socket>();
  server.on("connection", (socket: Socket) => {
    connections.add(socket);
    socket.once("close", () => connections.delete(socket));
  });
  return connections;
}

async function closeServer(
  server: Server,
  { connections, upgraded }: { readonly connections: Set<Socket>; readonly upgraded: Set<Duplex> },
  releaseWaits: () => void,
  { drainMs = 10_000 }: CloseOptions,
): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  // A connection whose answer had begun before the close becomes idle only now.
  const sweep = setInterval(() => {
    server.closeIdleConnections();
    // Browsers open some to be ready, and Node does not count them as idle before the first request.
    for (const socket of connections) if (socket.bytesRead === 0) socket.destroy();
  }, 20);
  const release = setTimeout(releaseWaits, drainMs);
  const end = setTimeout(() => {
    server.closeAllConnections();
    // These are no connections of HTTP any more.
    for (const socket of upgraded) socket.destroy();
  }, drainMs + FLUSH_MS);
  await closed;
  clearInterval(sweep);
  clearTimeout(release);
  clearTimeout(end);
}
