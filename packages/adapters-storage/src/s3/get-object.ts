import type { IncomingMessage } from "node:http";
import { type ByteRange, GatewayError, type ObjectRead } from "@modelgate/core";
import type { S3Connection } from "./connection.ts";
import { ObjectBody } from "./object-body.ts";
import type { Operation } from "./operation.ts";
import { S3Refusal } from "./s3-error.ts";

/** The object with a body that goes on using `operation`, or `undefined`. */
export async function getObject(
  connection: S3Connection,
  name: string,
  range: ByteRange | undefined,
  operation: Operation,
): Promise<Omit<ObjectRead, "key"> | undefined> {
  const headers = range === undefined ? {} : { range: rangeHeader(range) };
  let response: IncomingMessage;
  try {
    response = await connection.open({ method: "GET", object: name, headers }, operation);
  } catch (error) {
    if (!(error instanceof S3Refusal)) throw error;
    if (error.code === "NoSuchKey") return undefined;
    if (error.status === 416) throw beyond();
    throw error;
  }
  const { etag, "last-modified": modified } = response.headers;
  const span = spanOf(response, range);
  if (span === undefined) {
    response.destroy();
    throw new GatewayError("ADAPTER_FAILED", "the server's answer does not say which bytes it has");
  }
  return {
    sizeBytes: span.sizeBytes,
    modifiedAtMs: timeOf(modified),
    body: new ObjectBody(connection, name, operation, response, { ...span, etag }),
  };
}

/** Last-Modified counts in seconds. */
export function timeOf(header: string | undefined): number {
  const atMs = Date.parse(header ?? "");
  return Number.isNaN(atMs) ? 0 : atMs;
}

function rangeHeader({ start, end }: ByteRange): string {
  const isRange =
    Number.isSafeInteger(start) &&
    start >= 0 &&
    (end === undefined || (Number.isSafeInteger(end) && end >= start));
  if (isRange) return `bytes=${start}-${end ?? ""}`;
  throw new GatewayError(
    "INVALID_REQUEST",
    "range must have whole numbers from 0 on, and end at or behind its start",
    { details: { field: "range" } },
  );
}

/** Which bytes come, and how many the object has; `undefined` if that cannot be told, or others were asked for. */
function spanOf(
  { statusCode, headers }: IncomingMessage,
  range: ByteRange | undefined,
): { readonly start: number; readonly end: number; readonly sizeBytes: number } | undefined {
  if (range === undefined) {
    const length = headers["content-length"];
    const sizeBytes = Number(length);
    const isKnown = statusCode === 200 && length !== undefined && Number.isSafeInteger(sizeBytes);
    return isKnown ? { start: 0, end: sizeBytes, sizeBytes } : undefined;
  }
  const found = /^bytes (\d+)-(\d+)\/(\d+)$/.exec(headers["content-range"] ?? "");
  if (statusCode !== 206 || found === null) return undefined;
  const [start = 0, last = 0, sizeBytes = 0] = found.slice(1).map(Number);
  const lastAsked = Math.min(range.end ?? Number.POSITIVE_INFINITY, sizeBytes - 1);
  return start === range.start && last === lastAsked ? { start, end: last + 1, sizeBytes } : undefined;
}

function beyond(): GatewayError {
  return new GatewayError("INVALID_REQUEST", "range begins beyond the object's last byte", {
    details: { field: "range" },
  });
}
