import type { IncomingMessage, ServerResponse } from "node:http";
import type { Gateway } from "@modelgate/core";
import { createContext } from "../context.ts";
import type { HttpOptions } from "../options.ts";
import { nodeListener } from "./listener.ts";

/** A listener of `node:http`, and middleware of Express and its kin. */
export type NodeHandler = (
  incoming: IncomingMessage,
  response: ServerResponse,
  next?: (error?: unknown) => void,
) => void;

/**
 * The HTTP API of a gateway for a server that is there already: `createServer(handler)`, or in Express
 * `app.use("/gateway", handler)`, before anything that reads bodies. With `next` it leaves other paths alone.
 */
export function createNodeHandler(gateway: Gateway, options: HttpOptions = {}): NodeHandler {
  const listener = nodeListener(createContext(gateway, options), () => false);
  return (incoming, response, next) => {
    // Where Express mounts it, its `url` has lost that part of the path.
    const { baseUrl: mountPath = "" } = incoming as { baseUrl?: string };
    listener(incoming, response, {
      mountPath,
      awaitsContinue: false,
      next: next === undefined ? undefined : () => next(),
    });
  };
}
