import { GatewayError } from "@modelgate/core";

const RETRY_AFTER_MS = 1000;
/** Longer messages of an engine quote whole requests. */
const LONGEST_MESSAGE = 500;

/** The engine answered, and its answer is no. What that means depends on what was asked: callers judge. */
export class EngineError extends Error {
  override readonly name = "EngineError";
  readonly status: number;
  /** What was asked, without its query: `POST /containers/create`. */
  readonly call: string;
  /** The engine's own words. */
  readonly reason: string;

  constructor(status: number, call: string, reason: string) {
    const brief = reason.length > LONGEST_MESSAGE ? `${reason.slice(0, LONGEST_MESSAGE)}…` : reason;
    super(`the engine answered ${status} to ${call}${brief === "" ? "" : `: ${brief}`}`);
    this.status = status;
    this.call = call;
    this.reason = brief;
  }

  /** Whether `value` is one, and of this status if one is given. */
  static is(value: unknown, status?: number): value is EngineError {
    return value instanceof EngineError && (status === undefined || value.status === status);
  }
}

/** No connection, no answer in time, or an engine that is stopping. `code` is of the system or a word of ours. */
export function unavailable(what: string, code: string, cause?: unknown): GatewayError {
  const details = { reason: code, retryAfterMs: RETRY_AFTER_MS };
  return new GatewayError("DEPLOYER_UNAVAILABLE", what, {
    details,
    ...(cause === undefined ? {} : { cause }),
  });
}

/** What a connection that failed means. */
export function connectionError(error: unknown): GatewayError {
  if (GatewayError.is(error)) return error;
  const code = codeOf(error);
  if (isCertificate(code)) {
    return new GatewayError(
      "INVALID_OPTIONS",
      `the engine's certificate was refused (${code}); give its authority as tls.ca, and its name in host`,
      { cause: error, details: { field: "tls.ca", reason: code } },
    );
  }
  if (code === "EACCES" || code === "EPERM") {
    const what = "the engine's socket may not be used; give this user the right, such as by the group docker";
    return unavailable(what, code, error);
  }
  if (/^ERR_SSL|^EPROTO/.test(code)) {
    const what = `the engine refused the connection (${code}); check tls.cert and tls.key`;
    return unavailable(what, code, error);
  }
  return unavailable(
    `the engine cannot be reached (${code || "unknown"})`,
    code || "unknown",
    // An error of Node's parser carries what it was parsing.
    code.startsWith("HPE_") ? new Error(code) : error,
  );
}

/**
 * Whether an answer says that the engine, or the part of it that runs containers, is away. 503 without these words is
 * a refusal: that is how an engine says that it is not part of a swarm.
 */
export function saysUnavailable(status: number, reason: string): boolean {
  if (status === 502 || status === 504) return true;
  if (status < 500) return false;
  return (
    (status === 503 && !/swarm/i.test(reason)) ||
    /transport: error while dialing|transport is closing|: unavailable(: unknown)?$|is shutting down/i.test(
      reason,
    )
  );
}

/** Whether an answer refuses the version that was spoken, before it looked at what was asked. */
export function refusesVersion(status: number, reason: string): boolean {
  return status === 400 && /client version \S+ is too (?:new|old)/i.test(reason);
}

/** Whether an idle connection was closed by the other side at the moment that it was used again. */
export function wasStale(error: unknown): boolean {
  const code = codeOf(error);
  return code === "ECONNRESET" || code === "EPIPE";
}

function codeOf(error: unknown): string {
  const code = (error as NodeJS.ErrnoException | undefined)?.code;
  return typeof code === "string" ? code : "";
}

function isCertificate(code: string): boolean {
  return /^(?:CERT|ERR_TLS_CERT)|SELF_SIGNED|UNABLE_TO_(?:GET|VERIFY)|HOSTNAME_MISMATCH|INVALID_CA/.test(
    code,
  );
}
