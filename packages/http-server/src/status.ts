import { GatewayError, type GatewayErrorCode } from "@modelgate/core";
import { type Issue, invalid, problem } from "./answers.ts";
import { BodyTaken, ClientGone, Refused, type ResponseView } from "./exchange.ts";

/** What each code is in HTTP. */
export const STATUS_OF: Readonly<Record<GatewayErrorCode, number>> = {
  INVALID_OPTIONS: 500,
  INVALID_REQUEST: 422,
  MODEL_UNKNOWN: 503,
  OPERATION_UNKNOWN: 404,
  TASK_REQUIRED: 403,
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
  STORE_OUTDATED: 500,
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
  DEPLOYER_UNAVAILABLE: 503,
  DEPLOYER_REFUSED: 500,
  IMAGE_MISSING: 500,
  REGISTRY_REFUSED: 500,
  HOST_FULL: 503,
  NO_ROOM: 422,
  NAME_TAKEN: 409,
  START_FAILED: 500,
  OUT_OF_MEMORY: 500,
  SERVER_EXITED: 500,
  NEVER_READY: 500,
  DEPLOYMENT_UNKNOWN: 404,
  DEPLOYMENT_CONFLICT: 409,
  NOT_OURS: 403,
  CONFIGURATION_UNKNOWN: 404,
  CONFIGURATION_CONFLICT: 409,
  TRACKING_UNAVAILABLE: 503,
  TRACKED_MODEL_UNKNOWN: 404,
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
  if (error instanceof Refused) return error.answer;
  // Nobody reads it; it keeps what clients do out of the count of our own failures.
  if (error instanceof ClientGone) return problem(499, "The client hung up.");
  // Only whoever mounted the gateway can mend this, and they look at the answer first.
  if (error instanceof BodyTaken) return problem(500, error.message);
  if (!GatewayError.is(error)) return problem(500, SENTENCE_OF[500]);
  const { code } = error;
  if (code === "INVALID_REQUEST") return invalid([issueOf(error, "value_error")]);
  if (code === "IDEMPOTENCY_MISMATCH") {
    return problem(422, [issueOf(error, "idempotency_mismatch")], { code });
  }
  if (code === "NO_ROOM") return problem(422, [issueOf(error, "no_room")], { code });
  const status = STATUS_OF[code];
  if (status === 500) return problem(500, SENTENCE_OF[500]);
  const headers = retryAfter(error, status);
  return problem(status, SENTENCE_OF[status] ?? error.message, { code, headers });
}

/** Whether an error is one that whoever runs the gateway wants to know of. */
export function isFault(error: unknown): boolean {
  if (error instanceof ClientGone || error instanceof Refused) return false;
  if (!GatewayError.is(error)) return true;
  if (STATUS_OF[error.code] === 500 || error.code.startsWith("STORE_")) return true;
  return error.code === "DEPLOYER_UNAVAILABLE" || error.code === "TRACKING_UNAVAILABLE";
}

/** Where in a request the fields are that the gateway names. */
const PLACES: Readonly<Record<string, readonly string[]>> = {
  model: ["path", "model"],
  operation: ["path", "task"],
  query: ["query"],
  path: ["path"],
  method: ["method"],
  headers: ["header"],
  priority: ["query", "priority"],
  idempotencyKey: ["header", "idempotency-key"],
  modelUri: ["body", "model_uri"],
  trackingId: ["body", "tracking_id"],
  ttlMs: ["body", "ttl"],
  idleTtlMs: ["body", "idle_ttl"],
  memoryBytes: ["body", "deploy", "resources", "limits", "memory"],
  cpus: ["body", "deploy", "resources", "limits", "cpus"],
  gpus: ["body", "deploy", "resources", "reservations", "devices"],
};

/** `demands.limits.cpus` is `deploy.resources.limits.cpus` in a body; cards are listed with the reservations. */
function placeOf(field: string): readonly string[] {
  const place = PLACES[field];
  if (place !== undefined) return place;
  const [root, part = "", kind] = field.split(".");
  if (root !== "demands") return ["body", field];
  if (kind === undefined || kind === "gpus") return PLACES["gpus"] ?? [];
  return ["body", "deploy", "resources", part, kind === "memoryBytes" ? "memory" : kind];
}

function issueOf(error: GatewayError, type: string): Issue {
  const field = error.details["field"];
  const loc = typeof field === "string" ? placeOf(field) : ["body"];
  return { type, loc, msg: error.message, input: null };
}

function retryAfter(error: GatewayError, status: number): Record<string, string> {
  const askedMs = error.details["retryAfterMs"];
  if (typeof askedMs === "number") return { "retry-after": String(Math.max(1, Math.ceil(askedMs / 1000))) };
  const seconds = RETRY_AFTER_SECONDS[status];
  return seconds === undefined ? {} : { "retry-after": String(seconds) };
}
