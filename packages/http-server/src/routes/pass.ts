import { GatewayError, type PassedAnswer, type PassRequest } from "@modelgate/core";
import { methodNotAllowed, notFound, problem } from "../answers.ts";
import type { HttpContext } from "../context.ts";
import { ClientGone, Refused, type RequestView, type ResponseView, type Route } from "../exchange.ts";
import { LimitedBody, payloadTooLarge } from "../limited-body.ts";
import { preferredWaitSeconds } from "../prefer.ts";
import { namedHeaders } from "../requests/request-id.ts";
import { namedModel } from "./model-listing.ts";
import { modelNotAvailable } from "./model-texts.ts";
import { createPassHeaders } from "./pass-headers.ts";

const noTunnel = problem(
  501,
  "No WebSocket reaches the gateway here. On node:http, give its server's upgrades to the handler's handleUpgrade; a fetch handler cannot take them.",
  { code: "UNSUPPORTED" },
);

/** What a server sends back of such a request may hold the credentials that the gateway added to it. */
const noTrace = methodNotAllowed(["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]);

/** Longest wait that a timer holds. */
const LONGEST_MS = 2_147_483_647;

/** Sends a request straight to a server of the model, and streams both ways. */
export function passRoute(context: HttpContext): Route {
  const { gateway, options } = context;
  const toServer = createPassHeaders(options);

  return async (request, [given = "", path = ""]) => {
    // Somebody who resolves the path takes it for one outside of all models.
    if (given === "." || given === "..") return notFound;
    const isUpgrade = asksForWebSocket(request);
    if (isUpgrade && !request.canUpgrade) return noTunnel;
    if (request.method === "TRACE") return noTrace;
    const model = namedModel(gateway, given);
    const seconds = preferredWaitSeconds(request.header("prefer")) ?? 0;
    const passed: PassRequest = {
      ...{ model, method: request.method, path, query: request.query },
      headers: toServer(namedHeaders(request)),
      waitMs: Math.min(seconds * 1000, options.maxWaitMs, LONGEST_MS),
    };
    try {
      return isUpgrade ? await upgraded(context, request, passed) : await answered(context, request, passed);
    } catch (error) {
      if (GatewayError.is(error, "MODEL_UNKNOWN")) return await modelNotAvailable(gateway, model);
      if (GatewayError.is(error, "TASK_REQUIRED")) throw taskRequired(context, request, given, error);
      throw error;
    }
  };
}

/** Of the protocols that a request can ask to change to, the only one that goes to servers; for others it asks in vain. */
export function asksForWebSocket(request: Pick<RequestView, "method" | "header">): boolean {
  const asked = request.header("upgrade");
  if (asked === undefined || request.method !== "GET" || !/^\s*websocket\s*$/i.test(asked)) return false;
  // Without this the header means nothing, and Node gives such a request as any other.
  return /(^|,)\s*upgrade\s*(,|$)/i.test(request.header("connection") ?? "");
}

async function answered(
  context: HttpContext,
  request: RequestView,
  passed: PassRequest,
): Promise<ResponseView> {
  const { payload, sizeBytes } = await payloadOf(context, request);
  try {
    const answer = await awaited(context, request, (signal) =>
      context.gateway.pass({ ...passed, payload, sizeBytes }, { signal }),
    );
    return { ...viewOf(answer), isDuplex: payload instanceof LimitedBody };
  } catch (error) {
    if (!(payload instanceof LimitedBody)) throw error;
    await payload.return();
    throw payload.failure ?? error;
  }
}

async function upgraded(
  context: HttpContext,
  request: RequestView,
  passed: PassRequest,
): Promise<ResponseView> {
  const outcome = await awaited(context, request, (signal) => context.gateway.upgrade(passed, { signal }));
  if (outcome.kind === "answered") return viewOf(outcome.answer);
  const { headers, connection } = outcome;
  return { status: 101, headers: {}, headerList: headers, body: "", connection };
}

function viewOf({ status, headers, body, sizeBytes }: PassedAnswer): ResponseView {
  return { status, headers: {}, headerList: headers, body, sizeBytes };
}

/** Small bodies are read first; others, and those whose client waits to be asked for them, as the server takes them. */
async function payloadOf(
  { options }: HttpContext,
  request: RequestView,
): Promise<Pick<PassRequest, "payload" | "sizeBytes">> {
  const { body } = request;
  const { announcedBytes } = body;
  if (announcedBytes === 0) return {};
  if (announcedBytes !== undefined) {
    if (announcedBytes > options.maxBodyBytes) throw payloadTooLarge(options.maxBodyBytes);
    if (announcedBytes <= options.inlineBytes && request.header("expect") === undefined) {
      const taken = await body.take(announcedBytes);
      if (taken instanceof Uint8Array) return { payload: taken, sizeBytes: taken.byteLength };
    }
  }
  const payload = new LimitedBody(body.stream(), options.maxBodyBytes, undefined);
  return { payload, sizeBytes: announcedBytes };
}

/** The server's answer, unless the client hangs up before it, or the gateway stops. */
async function awaited<T>(
  { waits }: HttpContext,
  request: RequestView,
  send: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  let hasGone = false;
  let given: AbortSignal | undefined;
  const onHangUp = (callback: () => void): (() => void) =>
    request.onHangUp(() => {
      hasGone = true;
      callback();
    });
  try {
    return await waits.run(
      onHangUp,
      (signal) => {
        given = signal;
        return send(signal);
      },
      { isKept: true },
    );
  } catch (error) {
    if (given?.aborted !== true) throw error;
    throw hasGone ? new ClientGone() : new GatewayError("STOPPING", "the gateway is stopping");
  }
}

function taskRequired(
  { options }: HttpContext,
  { mountPath }: RequestView,
  model: string,
  error: GatewayError,
): Refused | GatewayError {
  const operation = error.details["operation"];
  if (typeof operation !== "string") return error;
  const address = `${mountPath}${options.basePath}/models/${encodeURIComponent(model)}/tasks/${operation}`;
  return new Refused(
    problem(403, `This is done by a task: POST ${address}, as documented for tasks.`, {
      code: error.code,
    }),
  );
}
