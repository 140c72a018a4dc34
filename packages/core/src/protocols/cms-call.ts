import type { Clock } from "../contracts/clock.ts";
import type { OperationOptions } from "../contracts/common.ts";
import type { CallOutcome, ServerCall } from "../contracts/server-protocol.ts";
import { GatewayError } from "../errors.ts";
import { abortOf } from "../late-abort.ts";
import { type Answered, answerOf, headerOf, instanceOf } from "./answered.ts";
import { parseJson, readAtMost, textField } from "./bounded-read.ts";
import { type CmsLogins, deniedAnswer, sendAuthorized } from "./cms-logins.ts";
import type { CmsOperationSpec } from "./cms-operations.ts";
import { type CmsRunContext, isOwnRun } from "./cms-runs.ts";
import type { ExchangeResult } from "./exchange.ts";
import type { HttpTransport } from "./http-transport.ts";
import { discardPayload } from "./payload-stream.ts";
import { askProcessMark } from "./process-mark.ts";
import { requestTarget, withQueryParameter } from "./request-target.ts";
import { retryAfterMs } from "./retry-after.ts";
import { parseServerAddress } from "./server-address.ts";

/** Statuses of a gateway that stands before the server and had no answer of it. */
const BAD_GATEWAY = [502, 504];
const MAX_NOTICE_BYTES = 64 * 1024;
const NOTICE_LIMIT_MS = 5000;

export interface CmsCallContext {
  readonly transport: HttpTransport;
  readonly clock: Clock;
  readonly operations: ReadonlyMap<string, CmsOperationSpec>;
  readonly acceptTimeoutMs: number;
  readonly maxRetryAfterMs: number;
  readonly logins: CmsLogins;
  /** How runs are looked up. */
  readonly runs: CmsRunContext;
}

/** Sends one task and says what came of it. */
export async function callCms(
  call: ServerCall,
  context: CmsCallContext,
  options: OperationOptions,
): Promise<CallOutcome> {
  const operation = context.operations.get(call.operation);
  const address = parseServerAddress(call.server.url);
  if (operation === undefined || address === undefined) {
    discardPayload(call.payload);
    if (operation === undefined) throw operationUnknown(call.operation);
    return { kind: "refused", reason: "unreachable" };
  }
  const abort = abortOf(options);
  const takesBody = operation.method === "POST";
  if (!takesBody) discardPayload(call.payload);
  const query = operation.isTracked ? withQueryParameter(call.query, "tracking_id", call.taskId) : call.query;
  const contentType = takesBody ? (call.contentType ?? defaultContentType(operation)) : undefined;
  const { logins } = context;
  const canRepeat = !takesBody || call.payload instanceof Uint8Array;
  const send = (own: Readonly<Record<string, string>>): Promise<ExchangeResult> =>
    context.transport.send({
      origin: address.origin,
      target: requestTarget(`${address.prefix}${operation.path}`, query),
      method: operation.method,
      headers: {
        ...address.headers,
        ...(contentType === undefined ? {} : { "content-type": contentType }),
        ...own,
      },
      payload: takesBody ? call.payload : undefined,
      sizeBytes: call.sizeBytes,
      ownConnection: !operation.repeatable,
      timeoutMs: operation.background ? Math.min(call.timeoutMs, context.acceptTimeoutMs) : call.timeoutMs,
      abort,
      onSend: call.onSend,
    });
  const result = await sendAuthorized(logins, {
    server: call.server,
    canRepeat,
    abort,
    send,
    denied: deniedAnswer,
  });
  if (result.kind === "shut") {
    discardPayload(call.payload);
    return {
      kind: "refused",
      reason: result.isReached ? "starting" : "unreachable",
      retryAfterMs: result.retryAfterMs,
    };
  }
  if (result.kind === "answered" && result.status === 401 && logins.asks(call.server)) {
    // Nothing was begun. The next try logs in first, or waits until it is time to.
    void result.body.return();
    return { kind: "refused", reason: "starting" };
  }
  if (result.kind === "unsent") return { kind: "refused", reason: "unreachable" };
  if (result.kind === "broken") return result;
  const outcome = await judge(result, call, operation, context);
  if (abort?.aborted) throw abort.reason;
  return outcome;
}

async function judge(
  answered: Answered,
  call: ServerCall,
  operation: CmsOperationSpec,
  context: CmsCallContext,
): Promise<CallOutcome> {
  const { status } = answered;
  if (status === 202 && operation.background) {
    // The status alone is the acceptance; a notice that cannot be read costs the run's id and no more.
    const runId = textField(await readNotice(answered, context), "run_id");
    // Which process accepted it tells later whether that one still runs. A CMS says so in its metrics only.
    const instance = instanceOf(answered) ?? (await askProcessMark(call.server, context));
    return { kind: "accepted", runId, instance };
  }
  if (status >= 200 && status < 300) return { kind: "done", answer: answerOf(answered) };
  if (status === 429 || status === 503) {
    const notice = await readNotice(answered, context);
    const blockingRunId = status === 503 ? textField(notice, "run_id") : undefined;
    if (blockingRunId !== undefined && operation.isTracked) {
      const { server, taskId } = call;
      const isOwn = await isOwnRun(context.runs, { server, taskId, runId: blockingRunId });
      if (isOwn) return { kind: "accepted", runId: blockingRunId, instance: instanceOf(answered) };
    }
    return {
      kind: "refused",
      reason: "busy",
      retryAfterMs: retryAfterMs(headerOf(answered, "retry-after"), {
        date: headerOf(answered, "date"),
        now: context.clock.now(),
        maxMs: context.maxRetryAfterMs,
      }),
      blockingRunId,
    };
  }
  if (BAD_GATEWAY.includes(status)) {
    void answered.body.return();
    return { kind: "broken", reason: "bad_gateway" };
  }
  return { kind: "rejected", answer: answerOf(answered) };
}

async function readNotice(answered: Answered, context: CmsCallContext): Promise<unknown> {
  const bounds = { maxBytes: MAX_NOTICE_BYTES, limitMs: NOTICE_LIMIT_MS, clock: context.clock };
  return parseJson(await readAtMost(answered.body, bounds));
}

// CMS takes a body without a type for JSON. A form's type cannot be made up: it names the boundary.
function defaultContentType(operation: CmsOperationSpec): string | undefined {
  return operation.contentType === "multipart/form-data" ? undefined : operation.contentType;
}

function operationUnknown(name: string): GatewayError {
  return new GatewayError("OPERATION_UNKNOWN", `the protocol "cms" has no operation ${JSON.stringify(name)}`);
}
