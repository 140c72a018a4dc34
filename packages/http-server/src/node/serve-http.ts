import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import type { Gateway } from "@modelgate/core";
import { createContext } from "../context.ts";
import { type HttpOptions, invalidOption } from "../options.ts";
import { createRoutes } from "../routes/index.ts";
import { nodeListener } from "./listener.ts";

export interface ServeOptions extends HttpOptions {
  /** Default `127.0.0.1`: nobody outside this machine. */
  readonly host?: string | undefined;
  /** 0 takes a free one. Default 8888. */
  readonly port?: number | undefined;
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

/** Listens. Rejects with Node's own error when it cannot, such as `EADDRINUSE`. */
export async function serveHttp(gateway: Gateway, options: ServeOptions = {}): Promise<HttpServer> {
  const { host = "127.0.0.1", port = 8888 } = options;
  if (!Number.isInteger(port) || port < 0 || port > 65_535) {
    throw invalidOption("port", port, "give a number from 0 to 65535");
  }
  const context = createContext(gateway, options);
  let closing: Promise<void> | undefined;
  const listener = nodeListener(context, createRoutes(context), { isClosing: () => closing !== undefined });

  const server = createServer({
    // Longer than the idle time of common proxies, so that it is never this end that closes under a request.
    keepAliveTimeout: 75_000,
    headersTimeout: 60_000,
    // A large upload over a slow line is legitimate.
    requestTimeout: 3_600_000,
  });
  server.on("request", (incoming, response) => listener(incoming, response, false));
  server.on("checkContinue", (incoming, response) => listener(incoming, response, true));
  await listen(server, host, port);

  const address = server.address() as AddressInfo;
  return {
    url: `http://${host.includes(":") ? `[${host}]` : host}:${address.port}`,
    port: address.port,
    close(closeOptions = {}) {
      closing ??= closeServer(server, () => context.waits.release(), closeOptions);
      return closing;
    },
  };
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

async function closeServer(
  server: Server,
  releaseWaits: () => void,
  { drainMs = 10_000 }: CloseOptions,
): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  // A connection whose answer had begun before the close becomes idle only now.
  const sweep = setInterval(() => server.closeIdleConnections(), 20);
  const release = setTimeout(releaseWaits, drainMs);
  const end = setTimeout(() => server.closeAllConnections(), drainMs + FLUSH_MS);
  await closed;
  clearInterval(sweep);
  clearTimeout(release);
  clearTimeout(end);
}
