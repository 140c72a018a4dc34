import { GatewayError, type GatewayErrorCode } from "@modelgate/core";

/** Primary result codes of SQLite: https://sqlite.org/rescode.html */
const BUSY = 5;
const LOCKED = 6;
const NOMEM = 7;
const READONLY = 8;
const IOERR = 10;
const CORRUPT = 11;
const FULL = 13;
const CANTOPEN = 14;
const PROTOCOL = 15;
const NOTADB = 26;

/** The shared-memory file could not grow, which only a full disk does. */
const IOERR_SHMSIZE = 10 | (19 << 8);

/** Errors of the place and not of a row: another row would meet them too. */
const OF_THE_PLACE = new Set([
  3,
  BUSY,
  LOCKED,
  NOMEM,
  READONLY,
  9,
  IOERR,
  CORRUPT,
  FULL,
  CANTOPEN,
  PROTOCOL,
  22,
  NOTADB,
]);

/** SQLite's extended result code, however the driver carries it. */
function resultCode(error: unknown): number | undefined {
  const { rawCode, errcode } = error as { rawCode?: unknown; errcode?: unknown };
  const code = rawCode ?? errcode;
  return typeof code === "number" ? code : undefined;
}

function primaryCode(error: unknown): number | undefined {
  const code = resultCode(error);
  return code === undefined ? undefined : code & 0xff;
}

export function isBusy(error: unknown): boolean {
  const code = primaryCode(error);
  return code === BUSY || code === LOCKED || code === PROTOCOL;
}

/** Whether the error is about what was to be written, so that leaving it out lets the rest through. */
export function isOfItem(error: unknown): boolean {
  const code = primaryCode(error);
  return code === undefined
    ? error instanceof TypeError || error instanceof RangeError
    : !OF_THE_PLACE.has(code);
}

/** Whether the connection should not be trusted any more: what it keeps in memory may differ from the file. */
export function isOfConnection(error: unknown): boolean {
  const code = primaryCode(error);
  return (code === IOERR && resultCode(error) !== IOERR_SHMSIZE) || code === CORRUPT || code === NOTADB;
}

/** Translates what SQLite said. Messages name neither rows nor paths. */
export function toGatewayError(error: unknown): GatewayError {
  if (GatewayError.is(error)) return error;
  const { code, message } = describe(error);
  return new GatewayError(code, message, {
    cause: error,
    details: { adapter: "sqlite", resultCode: resultCode(error) ?? -1 },
  });
}

function describe(error: unknown): { code: GatewayErrorCode; message: string } {
  const system = (error as NodeJS.ErrnoException | undefined)?.code;
  if (system === "ENOSPC" || system === "EDQUOT") return full();
  if (system === "EROFS" || system === "EACCES" || system === "EPERM") return readOnly();
  switch (primaryCode(error)) {
    case BUSY:
    case LOCKED:
    case PROTOCOL:
      return {
        code: "STORE_UNAVAILABLE",
        message: "another process held the store for longer than busyTimeoutMs",
      };
    case READONLY:
      return readOnly();
    case FULL:
      return full();
    case IOERR:
      if (resultCode(error) === IOERR_SHMSIZE) return full();
      return { code: "STORE_UNAVAILABLE", message: "the disk below the store failed to read or write" };
    case CORRUPT:
    case NOTADB:
      return {
        code: "STORE_UNAVAILABLE",
        message:
          "modelgate.db is damaged or no SQLite database; restore it from a copy, or move it away to begin anew",
      };
    case CANTOPEN:
      return {
        code: "STORE_UNAVAILABLE",
        message: "modelgate.db cannot be opened; check the directory and its rights",
      };
    case undefined:
      if (system !== undefined)
        return { code: "STORE_UNAVAILABLE", message: `the store's directory failed with ${system}` };
      return { code: "ADAPTER_FAILED", message: "the SQLite store failed in a way that it does not know" };
    default:
      return { code: "ADAPTER_FAILED", message: "SQLite refused a statement" };
  }
}

function full(): { code: GatewayErrorCode; message: string } {
  return { code: "STORE_FULL", message: "the disk below the store has no room; free some and call again" };
}

function readOnly(): { code: GatewayErrorCode; message: string } {
  return {
    code: "STORE_READ_ONLY",
    message: "the store's directory cannot be written; check its rights and its mount",
  };
}
