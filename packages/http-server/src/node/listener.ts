import type { IncomingMessage, ServerResponse } from "node:http";
import { negotiated } from "../answers.ts";
import type { HttpContext } from "../context.ts";
import type { ResponseView } from "../exchange.ts";
import { splitTarget } from "../query.ts";
import { tellRefusal } from "../requests/answered-request.ts";
import { isUnknownPath, type Router } from "../router.ts";
import { NodeRequestView } from "./node-request.ts";
import type { Passage } from "./passage.ts";
import { sendResponse } from "./send-response.ts";
import { hasTooManyHeaders, tooManyHeaders } from "./too-many-headers.ts";

export type Listener = (incoming: IncomingMessage, response: ServerResponse, passage: Passage) => void;

/** The routes on node:http, without a `Request` and a `Response` in between. `isClosing` ends connections. */
export function nodeListener(context: HttpContext, find: Router, isClosing: () => boolean): Listener {
  const { metrics, onError, onRequest, closeConnectionFor } = context.options;

  async function serve(incoming: IncomingMessage, response: ServerResponse, passage: Passage): Promise<void> {
    const { path, query } = splitTarget(originForm(incoming.url ?? "/"));
    const found = find(incoming.method ?? "", path, query);
    if (passage.next !== undefined && isUnknownPath(found)) return passage.next();
    let view: ResponseView;
    if (hasTooManyHeaders(incoming)) view = tooManyHeaders;
    else if (found.route === undefined) {
      metrics?.observe(undefined, incoming.method ?? "", found.refusal.status, 0);
      view = negotiated(found.refusal, incoming.headers.accept);
      if (onRequest !== undefined) {
        view = tellRefusal(new NodeRequestView(incoming, response, query, passage), view, onRequest);
      }
    } else view = await found.route(new NodeRequestView(incoming, response, query, passage), found.params);
    const isLast = isClosing() || isOneOf(closeConnectionFor, incoming.headers["user-agent"]);
    await sendResponse(view, incoming, response, isLast);
  }

  return (incoming, response, passage) => {
    serve(incoming, response, passage).catch((error: unknown) => {
      onError(error);
      response.destroy();
    });
  };
}

function isOneOf(agents: readonly (string | RegExp)[], agent: string | undefined): boolean {
  if (agent === undefined || agents.length === 0) return false;
  // Unlike `test`, `search` begins anew with an expression that has the flag g.
  return agents.some((each) =>
    typeof each === "string" ? agent.startsWith(each) : agent.search(each) !== -1,
  );
}

/** A proxy may send the whole address as the target. */
export function originForm(target: string): string {
  return target.startsWith("/") ? target : target.replace(/^https?:\/\/[^/?]*/i, "");
}
