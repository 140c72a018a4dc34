import type { AnsweredRequest } from "../requests/answered-request.ts";
import type { Log } from "./log.ts";

/** What monitoring asks for every few seconds. */
const OF_MONITORING = new Set(["/health", "/healthz", "/metrics"]);

/** Writes a line for each answered request. */
export function logRequests(log: Log): (request: AnsweredRequest) => void {
  return ({ id, method, route, status, durationMs, model, task, traceId }) => {
    const level = status >= 500 ? "warn" : OF_MONITORING.has(route) ? "debug" : "info";
    const figures = { status, durationMs: Math.round(durationMs * 1000) / 1000 };
    log[level]("request answered", { requestId: id, method, route, ...figures, model, task, traceId });
  };
}
