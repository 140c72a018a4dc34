import { GatewayError, type GatewayErrorCode } from "@modelgate/core";

/** The five characters of PostgreSQL's error codes: https://www.postgresql.org/docs/current/errcodes-appendix.html */
function sqlState(error: unknown): string | undefined {
  const code = (error as { code?: unknown } | undefined)?.code;
  return typeof code === "string" && /^[0-9A-Z]{5}$/.test(code) ? code : undefined;
}

/** Raised by our own function `require_new`: an id of the batch belongs to a task that has ended. */
export const HAS_ENDED = "MG001";

export function isHasEnded(error: unknown): boolean {
  return sqlState(error) === HAS_ENDED;
}

/** Deadlocks and the like: the transaction was undone as a whole, so that it may simply be run again. */
export function isUndone(error: unknown): boolean {
  const state = sqlState(error);
  return state === "40001" || state === "40P01";
}

/** Whether the error is about what was to be written, so that leaving it out lets the rest through. */
export function isOfItem(error: unknown): boolean {
  if (error instanceof RangeError || error instanceof TypeError) return true;
  const kind = sqlState(error)?.slice(0, 2);
  // 22: the value. 54: a row, or an index entry, that is larger than the server takes. 23: a constraint.
  return kind === "22" || kind === "54" || kind === "23";
}

/** What the caller is told of such an item. */
export function refusalOfItem(error: unknown): GatewayError {
  return new GatewayError("INVALID_REQUEST", "the store cannot hold this item", {
    cause: toGatewayError(error),
  });
}

/** Whether the connection was lost, so that nobody knows whether the statement took effect. */
export function isLost(error: unknown): boolean {
  const state = sqlState(error);
  if (state === undefined) return !GatewayError.is(error) && !isOfItem(error);
  // 25P03: we took too long in the middle of a transaction, so that it was undone and the connection ended.
  return state.startsWith("08") || state === "57P01" || state === "57P02" || state === "25P03";
}

/** Translates what the server or the driver said. Messages name neither rows nor addresses nor secrets. */
export function toGatewayError(error: unknown): GatewayError {
  if (GatewayError.is(error)) return error;
  const state = sqlState(error);
  const { code, message, field } = state === undefined ? ofConnection(error) : ofServer(state);
  const details = { adapter: "postgres", ...(state && { sqlState: state }), ...(field && { field }) };
  // The driver's own errors may quote a row, an address or a password: only their kind is passed on.
  const cause = new Error(state === undefined ? `${systemCode(error)}` : `SQLSTATE ${state}`);
  return new GatewayError(code, message, { cause, details });
}

interface Description {
  readonly code: GatewayErrorCode;
  readonly message: string;
  /** The option that is to be mended. */
  readonly field?: string;
}

function ofServer(state: string): Description {
  switch (state) {
    case "28000":
      return {
        code: "STORE_UNAVAILABLE",
        message: "PostgreSQL does not let this user in from here; check url and tls, and pg_hba.conf there",
        field: "url",
      };
    case "28P01":
      return {
        code: "STORE_UNAVAILABLE",
        message: "PostgreSQL refused the user or the password; check url and password",
        field: "password",
      };
    case "3D000":
      return {
        code: "STORE_UNAVAILABLE",
        message: "the database does not exist; create it, or name another in url",
        field: "url",
      };
    case "42501":
      return {
        code: "STORE_READ_ONLY",
        message: "the user of the database lacks a right; grant it, or let its owner run the migrations",
        field: "url",
      };
    case "25006":
      return { code: "STORE_READ_ONLY", message: "the database takes no writes; is it a standby?" };
    case "42P01":
    case "3F000":
    case "42703":
    case "42883":
      return {
        code: "STORE_OUTDATED",
        message: "the schema lacks a table, a column or a function; run `modelgate migrate`",
        field: "schema",
      };
    case "08P01":
      return {
        code: "STORE_UNAVAILABLE",
        message: "the server refused the settings of a session; if it is a pooler, set pooler to true",
        field: "pooler",
      };
    case "53100":
      return { code: "STORE_FULL", message: "the disk of PostgreSQL is full" };
    case "53300":
      return {
        code: "STORE_UNAVAILABLE",
        message: "PostgreSQL has no connection left; lower maxConnections or raise its max_connections",
        field: "maxConnections",
      };
    case "57014":
      return {
        code: "STORE_UNAVAILABLE",
        message: "PostgreSQL ended a statement that took longer than statementTimeoutMs",
        field: "statementTimeoutMs",
      };
    case "57P03":
      return { code: "STORE_UNAVAILABLE", message: "PostgreSQL is starting or stopping" };
    default:
      return ofClass(state.slice(0, 2));
  }
}

function ofClass(kind: string): Description {
  if (
    kind === "08" ||
    kind === "57" ||
    kind === "53" ||
    kind === "58" ||
    kind === "40" ||
    kind === "25" ||
    kind === "55"
  )
    return { code: "STORE_UNAVAILABLE", message: "PostgreSQL could not do it now; call again" };
  if (kind === "22" || kind === "23" || kind === "54")
    return { code: "INVALID_REQUEST", message: "PostgreSQL cannot hold a value of this call" };
  return { code: "ADAPTER_FAILED", message: "PostgreSQL refused a statement" };
}

function systemCode(error: unknown): string {
  const code = (error as NodeJS.ErrnoException | undefined)?.code;
  return typeof code === "string" && /^[A-Z][A-Z0-9_]{2,40}$/.test(code) ? code : "no code";
}

function ofConnection(error: unknown): Description {
  const code = systemCode(error);
  const text = error instanceof Error ? error.message : "";
  if (code === "ENOTFOUND" || code === "EAI_AGAIN")
    return {
      code: "STORE_UNAVAILABLE",
      message: "the host of PostgreSQL is not known; check url",
      field: "url",
    };
  if (code === "ECONNREFUSED")
    return {
      code: "STORE_UNAVAILABLE",
      message: "nothing answers at the address of PostgreSQL; check url, and whether it runs",
      field: "url",
    };
  if (/does not support SSL/.test(text))
    return {
      code: "STORE_UNAVAILABLE",
      message: "PostgreSQL offers no TLS; set tls to false, or configure it there",
      field: "tls",
    };
  if (/CERT|SELF_SIGNED|UNABLE_TO_|ERR_TLS|ERR_SSL|EPROTO/.test(code))
    return {
      code: "STORE_UNAVAILABLE",
      message:
        "the certificate of PostgreSQL is not trusted; set tls.ca, or tls.serverName to the name it has",
      field: "tls",
    };
  if (/password must be a string|no password/i.test(text))
    return {
      code: "STORE_UNAVAILABLE",
      message: "PostgreSQL asks for a password and none is given",
      field: "password",
    };
  return {
    code: "STORE_UNAVAILABLE",
    message: "the connection to PostgreSQL was lost, or could not be made in time",
  };
}
