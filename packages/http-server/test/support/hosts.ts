import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { getRequestListener } from "@hono/node-server";
import type { Gateway } from "@modelgate/core";
import { createHttpHandler, type HttpOptions } from "../../src/index.ts";
import { serveHttp } from "../../src/node.ts";

export interface OpenHost {
  readonly url: string;
  close(): Promise<void>;
}

/** The two ways in which the routes are reached; every test of a route runs over both. */
export const HOSTS: readonly {
  readonly host: string;
  readonly open: (gateway: Gateway, options?: HttpOptions) => Promise<OpenHost>;
}[] = [
  {
    host: "node:http",
    async open(gateway, options) {
      const server = await serveHttp(gateway, { ...options, port: 0 });
      return { url: server.url, close: () => server.close({ drainMs: 0 }) };
    },
  },
  {
    host: "a fetch handler",
    async open(gateway, options) {
      const { fetch } = createHttpHandler(gateway, options);
      const listener = getRequestListener(fetch, { overrideGlobalObjects: false });
      const server = createServer({ maxHeaderSize: 32_768 }, listener);
      await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
      return {
        url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
        async close() {
          server.closeAllConnections();
          await new Promise((resolve) => server.close(resolve));
        },
      };
    },
  },
];
