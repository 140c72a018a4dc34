import type { IncomingMessage, ServerResponse } from "node:http";
import { methodNotAllowed, notFound } from "../answers.ts";
import type { HttpContext } from "../context.ts";
import type { ResponseView, RoutePattern } from "../exchange.ts";
import { splitTarget } from "../query.ts";
import { pathMatcher } from "./match-path.ts";
import { NodeRequestView } from "./node-request.ts";
import { sendResponse } from "./send-response.ts";

export interface ListenerOptions {
  /** Whether connections are to be closed after their answer. */
  readonly isClosing: () => boolean;
}

export type Listener = (incoming: IncomingMessage, response: ServerResponse, awaitsContinue: boolean) => void;

/** The routes on node:http, without a `Request` and a `Response` in between. */
export function nodeListener(
  { options }: Pick<HttpContext, "options">,
  routes: readonly RoutePattern[],
  { isClosing }: ListenerOptions,
): Listener {
  const match = pathMatcher(routes, options.basePath);

  function answer(
    incoming: IncomingMessage,
    response: ServerResponse,
    awaitsContinue: boolean,
  ): Promise<ResponseView> | ResponseView {
    const { path, query } = splitTarget(originForm(incoming.url ?? "/"));
    const found = match(path);
    if (found === undefined) return notFound;
    const { method } = incoming;
    const route = found.pattern.methods[(method === "HEAD" ? "GET" : method) as "GET"];
    if (route === undefined) return methodNotAllowed(Object.keys(found.pattern.methods));
    return route(new NodeRequestView(incoming, response, query, awaitsContinue), found.params);
  }

  return (incoming, response, awaitsContinue) => {
    const done = async (): Promise<void> => {
      const view = await answer(incoming, response, awaitsContinue);
      await sendResponse(view, incoming, response, isClosing());
    };
    done().catch((error: unknown) => {
      options.onError(error);
      response.destroy();
    });
  };
}

/** A proxy may send the whole address as the target. */
function originForm(target: string): string {
  return target.startsWith("/") ? target : target.replace(/^https?:\/\/[^/?]*/i, "");
}
