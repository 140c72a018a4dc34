import type { Gateway } from "@modelgate/core";
import type { RequestView, ResponseView, Route, RoutePattern } from "../exchange.ts";
import { nameRequest, REQUEST_ID, requestIdOf, withId } from "./request-id.ts";
import { traceIdOf } from "./trace-id.ts";

/** What may be told of a request: no address, query, header, body or text of its caller is in it. */
export interface AnsweredRequest {
  /** What the caller sent as `X-Request-Id`, where that can be one, or what was made; the answer has it, too. */
  readonly id: string;
  readonly method: string;
  /** The pattern of its path, such as `/tasks/{id}`; `other` where there is no route. */
  readonly route: string;
  readonly status: number;
  /** Until the answer began. */
  readonly durationMs: number;
  /** As far as it is one that is known. */
  readonly model?: string | undefined;
  readonly task?: string | undefined;
  /** Of a valid `traceparent`. */
  readonly traceId?: string | undefined;
}

export type OnRequest = (request: AnsweredRequest) => void;

const METHODS = new Set(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]);

const tasks = new WeakMap<RequestView, string>();

/** Says which task a request made. */
export function noteTask(request: RequestView, id: string): void {
  tasks.set(request, id);
}

/** The same routes, each answer of which is told of and has the request's id. */
export function tellRoutes(
  routes: readonly RoutePattern[],
  gateway: Pick<Gateway, "models">,
  onRequest: OnRequest,
): readonly RoutePattern[] {
  const isKnown = knownModels(gateway);
  return routes.map(({ path, methods }) => {
    const told = Object.entries(methods).map(([method, route]) => [
      method,
      tell(path, route, { isKnown, onRequest }),
    ]);
    return { path, methods: Object.fromEntries(told) as RoutePattern["methods"] };
  });
}

/** Tells of a request that has no route. */
export function tellRefusal(
  request: Pick<RequestView, "method" | "header">,
  answer: ResponseView,
  onRequest: OnRequest,
): ResponseView {
  const id = requestIdOf(request.header(REQUEST_ID));
  const traceId = traceIdOf(request.header("traceparent"));
  onRequest({
    ...{ id, route: "other", status: answer.status, durationMs: 0, traceId },
    ...named(request.method),
  });
  return withRequestId(answer, id);
}

function tell(
  path: string,
  route: Route,
  { isKnown, onRequest }: { readonly isKnown: (model: string) => boolean; readonly onRequest: OnRequest },
): Route {
  const names = path.split("/").filter((part) => part.startsWith(":"));
  const shown = path.replaceAll(/:(\w+)/g, "{$1}");
  const modelAt = names.indexOf(":model");
  const taskAt = names.indexOf(":id");
  return async (request, params) => {
    const beganMs = performance.now();
    const id = requestIdOf(request.header(REQUEST_ID));
    nameRequest(request, id);
    const answer = await route(request, params);
    const model = params[modelAt];
    onRequest({
      ...{ id, route: shown, status: answer.status, durationMs: performance.now() - beganMs },
      ...named(request.method),
      model: model !== undefined && isKnown(model) ? model : undefined,
      // What no task is called is only what somebody wrote.
      task: tasks.get(request) ?? (answer.status === 404 ? undefined : params[taskAt]),
      traceId: traceIdOf(request.header("traceparent")),
    });
    return withRequestId(answer, id);
  };
}

/** Between two looks at all models for names that are not known. */
const LOOK_MS = 1_000;

function knownModels(gateway: Pick<Gateway, "models">): (model: string) => boolean {
  let names = new Set<string>();
  let lookedMs = Number.NEGATIVE_INFINITY;
  return (model) => {
    if (names.has(model)) return true;
    if (performance.now() - lookedMs < LOOK_MS) return false;
    lookedMs = performance.now();
    names = new Set(gateway.models().map(({ name }) => name));
    return names.has(model);
  };
}

function named(method: string): { readonly method: string } {
  return { method: METHODS.has(method) ? method : "other" };
}

function withRequestId(answer: ResponseView, id: string): ResponseView {
  const { headers, headerList } = answer;
  if (headerList !== undefined) return { ...answer, headerList: withId(headerList, id) };
  return { ...answer, headers: { ...headers, [REQUEST_ID]: id } };
}
