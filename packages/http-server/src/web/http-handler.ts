import type { Gateway } from "@modelgate/core";
import { createContext } from "../context.ts";
import type { HttpOptions } from "../options.ts";
import { createHonoApp, type HonoApp } from "./hono-app.ts";
import type { FetchEnvironment } from "./web-request.ts";

export interface HttpHandler {
  /** Answers one request; it never rejects. */
  fetch(request: Request, environment?: FetchEnvironment): Promise<Response>;
  /** The same as an app for `route` of another Hono app. */
  readonly app: HonoApp;
}

/**
 * The HTTP API of a gateway as a fetch handler for any host. The query string reaches the model server byte for byte
 * where the host hands over Node's own request; a `Request` alone holds it as URLs are normalised.
 */
export function createHttpHandler(gateway: Gateway, options: HttpOptions = {}): HttpHandler {
  const app = createHonoApp(createContext(gateway, options));
  return { app, fetch: async (request, environment = {}) => app.fetch(request, environment) };
}
