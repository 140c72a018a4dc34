import type { IncomingMessage, ServerResponse } from "node:http";
import { negotiated, problem } from "../answers.ts";
import type { HttpContext } from "../context.ts";
import type { ResponseView } from "../exchange.ts";
import { splitTarget } from "../query.ts";
import { tellRefusal } from "../requests/answered-request.ts";
import { isUnknownPath, type Router } from "../router.ts";
import { NodeRequestView } from "./node-request.ts";
import type { Passage } from "./passage.ts";
import { sendResponse } from "./send-response.ts";

/**
 * Names and values together. Node leaves out what comes after so many without a word, and that may be the header by
 * which a body is told from none.
 */
const MAX_RAW_HEADERS = 2_000;
export const tooManyHeaders = problem(431, `A request may have fewer than ${MAX_RAW_HEADERS / 2} headers.`, {
  headers: { connection: "close" },
});

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

export function hasTooManyHeaders({ rawHeaders }: IncomingMessage): boolean {
  return rawHeaders.length >= MAX_RAW_HEADERS;
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
