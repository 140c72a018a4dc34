import { GatewayError, type GatewayErrorCode } from "@modelgate/core";
import { invalid, json } from "./answers.ts";
import type { ResponseView } from "./exchange.ts";

/** What each code is in HTTP. */
export const STATUS_OF: Readonly<Record<GatewayErrorCode, number>> = {
  INVALID_OPTIONS: 500,
  INVALID_REQUEST: 422,
  MODEL_UNKNOWN: 503,
  OPERATION_UNKNOWN: 404,
  TASK_UNKNOWN: 404,
  TASK_NOT_ENDED: 409,
  NO_RESULT: 404,
  RESULT_EXPIRED: 410,
  QUEUE_FULL: 429,
  PAYLOAD_TOO_LARGE: 413,
  IDEMPOTENCY_MISMATCH: 422,
  IDEMPOTENCY_IN_PROGRESS: 409,
  STORE_UNAVAILABLE: 503,
  STORE_FULL: 507,
  STORE_READ_ONLY: 500,
  STORE_TOO_NEW: 500,
  STALE_RUNNER: 500,
  UNSUPPORTED: 501,
  CLOSED: 503,
  STOPPING: 503,
  ADAPTER_FAILED: 500,
  SERVER_BROKE_OFF: 502,
  SERVER_UNREACHABLE: 503,
  SERVER_TIMEOUT: 504,
  SERVER_BAD_GATEWAY: 502,
  SERVER_BUSY: 503,
  SERVER_REJECTED: 502,
  RUN_FAILED: 502,
  RUN_TIMEOUT: 504,
  OUTCOME_UNKNOWN: 502,
  LEASE_LOST: 502,
  ATTEMPTS_EXHAUSTED: 502,
  WAIT_DEADLINE: 504,
  NO_SERVER: 503,
  PAYLOAD_LOST: 410,
  RESULT_REFUSED: 502,
};

/** Statuses whose error may come again later, with the seconds after which it is worth a try. */
const RETRY_AFTER_SECONDS: Readonly<Record<number, number>> = { 429: 1, 503: 5, 507: 30 };

/** Errors of the server's side are not told in their own words, which may name files, hosts or addresses. */
const SENTENCE_OF: Readonly<Record<number, string>> = {
  500: "Internal Server Error",
  501: "This gateway's parts cannot do that.",
  502: "The model server gave no usable answer.",
  503: "The gateway cannot do this at the moment; try again later.",
  504: "The time limit was reached before there was an answer.",
  507: "The gateway's store has no room; try again later.",
};

/** What a caller is told of something that a route threw. */
export function answerToError(error: unknown): ResponseView {
  if (!GatewayError.is(error)) return json(500, { detail: SENTENCE_OF[500] });
  if (error.code === "INVALID_REQUEST") return invalidRequest(error);
  const status = STATUS_OF[error.code];
  if (status === 500) return json(500, { detail: SENTENCE_OF[500] });
  return json(
    status,
    { detail: SENTENCE_OF[status] ?? error.message, code: error.code },
    retryAfter(error, status),
  );
}

/** Whether an error is one that whoever runs the gateway wants to know of. */
export function isFault(error: unknown): boolean {
  if (!GatewayError.is(error)) return true;
  return STATUS_OF[error.code] === 500 || error.code.startsWith("STORE_");
}

function invalidRequest(error: GatewayError): ResponseView {
  const field = error.details["field"];
  const loc = typeof field === "string" ? ["body", field] : ["body"];
  return invalid([{ type: "value_error", loc, msg: error.message, input: null }]);
}

function retryAfter(error: GatewayError, status: number): Record<string, string> {
  const fallback = RETRY_AFTER_SECONDS[status];
  if (fallback === undefined) return {};
  const askedMs = error.details["retryAfterMs"];
  const seconds = typeof askedMs === "number" ? Math.max(1, Math.ceil(askedMs / 1000)) : fallback;
  return { "retry-after": String(seconds) };
}
