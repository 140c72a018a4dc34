import type { Clock } from "../contracts/clock.ts";
import type { OperationOptions } from "../contracts/common.ts";
import type { PassedAnswer, PassedRequest, PassOutcome } from "../contracts/server-protocol.ts";
import { GatewayError } from "../errors.ts";
import { abortOf } from "../late-abort.ts";
import { announcedSize } from "./announced-size.ts";
import { type Answered, headerOf } from "./answered.ts";
import { type CmsLogins, deniedAnswer, sendAuthorized } from "./cms-logins.ts";
import type { ExchangeResult } from "./exchange.ts";
import type { HttpTransport } from "./http-transport.ts";
import { answerHeaders, hasHeader, requestHeaders, withOwn } from "./pass-headers.ts";
import { requestTarget } from "./request-target.ts";
import { retryAfterMs } from "./retry-after.ts";
import { parseServerAddress } from "./server-address.ts";

const METHOD = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,64}$/;
const PATH = /^\/[\x21\x22\x24-\x3e\x40-\x7e]*$/;

export interface CmsPassContext {
  readonly transport: HttpTransport;
  readonly clock: Clock;
  readonly maxRetryAfterMs: number;
  readonly logins: CmsLogins;
}

/** Sends a request to a server as its caller made it. */
export async function passCms(
  request: PassedRequest,
  context: CmsPassContext,
  options: OperationOptions,
): Promise<PassOutcome> {
  checkPassed(request);
  const { server, payload } = request;
  const address = parseServerAddress(server.url);
  const given = requestHeaders(request.headers);
  if (address === undefined) return { kind: "unsent" };
  const abort = abortOf(options);
  const send = (own: Readonly<Record<string, string>>): Promise<ExchangeResult> =>
    context.transport.send({
      origin: address.origin,
      target: requestTarget(`${address.prefix}${request.path}`, request.query),
      method: request.method,
      headers: withOwn(given, authorizationOf(address.headers), own),
      payload,
      sizeBytes: request.sizeBytes,
      keepsUnsent: true,
      ownConnection: false,
      timeoutMs: request.timeoutMs,
      // Nobody who hangs up is to keep the server at work for the sake of a connection.
      reading: { idleTimeoutMs: request.idleTimeoutMs, receivesRest: false },
      abort,
    });
  const canRepeat = payload === undefined || payload instanceof Uint8Array;
  const result = hasHeader(given, "authorization")
    ? await send({})
    : await sendAuthorized(context.logins, { server, canRepeat, abort, send, denied: deniedAnswer });
  if (result.kind === "shut") return { kind: "unsent" };
  if (result.kind !== "answered") return result;
  const answer: PassedAnswer = {
    status: result.status,
    headers: answerHeaders(result.rawHeaders),
    sizeBytes: announcedSize(headerOf(result, "content-length")),
    body: result.body,
  };
  return { kind: "answered", answer, busy: busyOf(result, context) };
}

/** Throws `INVALID_REQUEST` for what cannot be written, or must not. */
export function checkPassed({ method, path }: Pick<PassedRequest, "method" | "path">): void {
  if (!METHOD.test(method)) throw invalid("method", "must be a method of HTTP");
  const upper = method.toUpperCase();
  // The answer to TRACE would show the caller the credentials that the server is spoken to with.
  if (upper === "TRACE" || upper === "CONNECT") throw invalid("method", `must not be ${upper}`);
  if (!PATH.test(path)) throw invalid("path", "must begin with a slash and be percent-encoded");
}

/** The credentials that an address carries, and nothing else of what is sent along with it. */
export function authorizationOf(
  headers: Readonly<Record<string, string>> | undefined,
): Readonly<Record<string, string>> {
  const authorization = headers?.["authorization"];
  return authorization === undefined ? {} : { authorization };
}

// A 503 or 429 without a time may be about this route or this caller alone.
function busyOf(answered: Answered, context: CmsPassContext): { readonly retryAfterMs: number } | undefined {
  if (answered.status !== 429 && answered.status !== 503) return undefined;
  const afterMs = retryAfterMs(headerOf(answered, "retry-after"), {
    date: headerOf(answered, "date"),
    now: context.clock.now(),
    maxMs: context.maxRetryAfterMs,
  });
  return afterMs === undefined ? undefined : { retryAfterMs: afterMs };
}

function invalid(field: "method" | "path", problem: string): GatewayError {
  return new GatewayError("INVALID_REQUEST", `${field} ${problem}`, { details: { field } });
}
