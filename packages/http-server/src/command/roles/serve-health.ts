import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { Gateway } from "@modelgate/core";
import type { Metrics } from "../../metrics/create-metrics.ts";
import type { Components } from "../../options.ts";

export interface HealthServerOptions {
  readonly host: string;
  readonly port: number;
  /** Parts that may be away without the process being unhealthy. */
  readonly components?: (() => Promise<Components>) | undefined;
  /** Served at `/metrics`. */
  readonly metrics?: Pick<Metrics, "render"> | undefined;
}

export interface HealthServer {
  readonly url: string;
  close(): Promise<void>;
}

interface Answer {
  readonly status: number;
  readonly type: string;
  readonly text: string;
}

const NOT_FOUND: Answer = { status: 404, type: "application/json", text: '{"detail":"Not Found"}' };

/** What monitoring asks of a process that serves no API: `/healthz` and `/metrics`. Rejects with Node's own error. */
export async function serveHealth(
  gateway: Pick<Gateway, "health">,
  options: HealthServerOptions,
): Promise<HealthServer> {
  const { host, port, metrics, components: others } = options;

  async function answer(path: string): Promise<Answer> {
    if (path === "/healthz" || path === "/health") {
      const [{ isHealthy, components: own }, more] = await Promise.all([gateway.health(), others?.()]);
      const components = { ...own, ...more };
      const text = JSON.stringify({ status: isHealthy ? "healthy" : "unhealthy", components });
      return { status: isHealthy ? 200 : 503, type: "application/json", text };
    }
    if (path !== "/metrics" || metrics === undefined) return NOT_FOUND;
    const { contentType, text } = await metrics.render();
    return { status: 200, type: contentType, text };
  }

  const server = createServer((request, response) => {
    // Nobody sends a body here; what comes all the same is not kept.
    request.resume();
    if (request.method !== "GET" && request.method !== "HEAD") {
      response.setHeader("allow", "GET, HEAD");
      return send(response, {
        status: 405,
        type: "application/json",
        text: '{"detail":"Method Not Allowed"}',
      });
    }
    const path = (request.url ?? "/").split("?", 1)[0]?.replace(/(?<=.)\/$/, "") ?? "/";
    answer(path).then(
      (found) => send(response, found),
      () =>
        send(response, { status: 500, type: "application/json", text: '{"detail":"Internal Server Error"}' }),
    );
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen({ host, port }, () => resolve());
  });
  const { port: bound } = server.address() as AddressInfo;
  return {
    url: `http://${host.includes(":") ? `[${host}]` : host}:${bound}`,
    async close() {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
    },
  };
}

function send(response: ServerResponse, { status, type, text }: Answer): void {
  const headers = {
    "content-type": type,
    "content-length": Buffer.byteLength(text),
    "cache-control": "no-store",
  };
  response.writeHead(status, headers).end(response.req.method === "HEAD" ? undefined : text);
}
