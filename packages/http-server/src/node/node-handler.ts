import type { IncomingMessage, ServerResponse } from "node:http";
import type { Gateway } from "@modelgate/core";
import { createContext } from "../context.ts";
import type { HttpOptions } from "../options.ts";
import { createRouter } from "../router.ts";
import { createRoutes } from "../routes/index.ts";
import { nodeListener } from "./listener.ts";
import { type UpgradeListener, upgradeListener } from "./upgrade.ts";

/** A listener of `node:http`, and middleware of Express and its kin. */
export interface NodeHandler {
  (incoming: IncomingMessage, response: ServerResponse, next?: (error?: unknown) => void): void;
  /**
   * For a server's event `upgrade`, so that WebSockets reach the servers of models:
   * `server.on("upgrade", (...request) => handler.handleUpgrade(...request) || request[1].destroy())`. It is `false`,
   * and nothing was done, of what is no WebSocket of a model. Where the handler is mounted below a path, such as
   * `/gateway`, give that as the fourth argument.
   */
  readonly handleUpgrade: UpgradeListener;
}

/**
 * The HTTP API of a gateway for a server that is there already: `createServer(handler)`, or in Express
 * `app.use("/gateway", handler)`, before anything that reads bodies. With `next` it leaves other paths alone.
 */
export function createNodeHandler(gateway: Gateway, options: HttpOptions = {}): NodeHandler {
  const context = createContext(gateway, options);
  const find = createRouter(createRoutes(context), context.options.basePath);
  const listener = nodeListener(context, find, () => false);
  const handler = (
    incoming: IncomingMessage,
    response: ServerResponse,
    next?: (error?: unknown) => void,
  ): void => {
    // Where Express mounts it, its `url` has lost that part of the path.
    const { baseUrl: mountPath = "" } = incoming as { baseUrl?: string };
    listener(incoming, response, {
      mountPath,
      awaitsContinue: false,
      next: next === undefined ? undefined : () => next(),
    });
  };
  return Object.assign(handler, { handleUpgrade: upgradeListener(context, find) });
}
