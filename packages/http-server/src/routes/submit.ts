import { type Gateway, GatewayError, type TaskRecord } from "@modelgate/core";
import { type Issue, invalid, json, missing, problem } from "../answers.ts";
import { type BodyChecker, bodyChecker } from "../checks/body-checker.ts";
import type { HttpContext } from "../context.ts";
import { Refused, type RequestView, type ResponseView, type Route } from "../exchange.ts";
import { readIdempotencyKey } from "../idempotency-key.ts";
import { LimitedBody, payloadTooLarge } from "../limited-body.ts";
import { preferredWaitSeconds } from "../prefer.ts";
import { readPriority } from "../priority.ts";
import { takeParameter } from "../query.ts";
import { noteTask } from "../requests/answered-request.ts";
import { namedModel } from "./model-listing.ts";
import { modelNotAvailable } from "./model-texts.ts";
import { expectedType, taskNotFound } from "./operations.ts";
import { answerWithin } from "./wait-answer.ts";

const PRIORITY_HEADER = "x-modelgate-priority";
const FORM = "multipart/form-data";
/** How a form says its type that has nothing in it, and so needs no boundary. */
const EMPTY_FORM = "application/x-www-form-urlencoded";

export function submitRoute(context: HttpContext): Route {
  const { gateway } = context;
  return async (request, [given = "", operation = ""]) => {
    const model = namedModel(gateway, given);
    const read = readSubmit(context, request, operation);
    if ("status" in read) {
      // Whether the model is known comes before everything else; asked here, it costs good submits nothing.
      return isKnown(gateway, model) ? read : modelNotAvailable(gateway, model);
    }
    let task: TaskRecord;
    try {
      task = await accept(context, request, read, model, operation);
    } catch (error) {
      if (GatewayError.is(error, "MODEL_UNKNOWN")) return modelNotAvailable(gateway, model);
      const isOfBody = error instanceof Refused || GatewayError.is(error, "PAYLOAD_TOO_LARGE");
      if (isOfBody && !isKnown(gateway, model)) return modelNotAvailable(gateway, model);
      if (GatewayError.is(error, "OPERATION_UNKNOWN")) return taskNotFound(gateway, operation);
      throw error;
    }
    noteTask(request, task.id);
    const waitSeconds = preferredWaitSeconds(request.header("prefer"));
    if (waitSeconds !== undefined) return answerWithin(context, request, task, waitSeconds);
    return json(200, { uuid: task.id, status: "Task submitted successfully" });
  };
}

function isKnown(gateway: Gateway, model: string): boolean {
  return gateway.models().some(({ name }) => name === model);
}

/** What a request asks for, apart from its body and from what its path says. */
interface Submit {
  readonly query: string;
  readonly contentType: string | undefined;
  readonly priority: number | undefined;
  readonly idempotencyKey: string | undefined;
  readonly checker: BodyChecker | undefined;
}

/** In the order in which callers are told what is wrong. */
function readSubmit(
  { gateway }: HttpContext,
  request: RequestView,
  operation: string,
): Submit | ResponseView {
  const given = request.header("content-type");
  const spec = gateway.operations().get(operation);
  const hasType = given !== undefined && given !== "";
  const isEmptyForm = !hasType && request.body.announcedBytes === 0 && takesNothing(spec?.contentType);
  if (!hasType && (spec === undefined || !isEmptyForm)) return missing(["header", "content-type"]);
  if (spec === undefined) return taskNotFound(gateway, operation);

  let checker: BodyChecker | undefined;
  let contentType = given;
  if (!hasType) contentType = spec.contentType === FORM ? EMPTY_FORM : undefined;
  else {
    const expected = expectedType(spec);
    const essence = essenceOf(given);
    if (essence !== "text/plain" && expected !== undefined) {
      if (essence !== expected) return problem(400, `Unsupported content type: expected ${expected}`);
      const made = spec.contentType === undefined ? undefined : bodyChecker(essence, given);
      if (made !== undefined && "refusal" in made) return made.refusal;
      checker = made;
    }
  }
  const encoding = request.header("content-encoding");
  if (encoding !== undefined && !/^(identity)?$/i.test(encoding)) return unsupportedEncoding();

  const { value, rest } = takeParameter(request.query, "priority");
  const priority = readPriority(value, request.header(PRIORITY_HEADER), ["header", PRIORITY_HEADER]);
  const { key, isBad } = readIdempotencyKey(request.header("idempotency-key"));
  if (priority.issue !== undefined || isBad) {
    return invalid([priority.issue, isBad ? badKey : undefined].filter((issue) => issue !== undefined));
  }
  return { query: rest, contentType, priority: priority.value, idempotencyKey: key, checker };
}

/** Whether a task can be sent without a body: it takes none, or a form, all of whose fields may be left out. */
function takesNothing(contentType: string | undefined): boolean {
  return contentType === undefined || contentType === FORM;
}

function essenceOf(contentType: string): string {
  // What nearly all callers send needs no work.
  if (contentType === "text/plain") return contentType;
  const at = contentType.indexOf(";");
  return (at === -1 ? contentType : contentType.slice(0, at)).trim().toLowerCase();
}

const badKey: Issue = {
  type: "value_error",
  loc: ["header", "idempotency-key"],
  msg: "The key should have 1 to 255 visible ASCII characters, as they are or in quotes",
  input: null,
};

/** Only the bytes go on to the model server, which could not know that they are packed. */
function unsupportedEncoding(): ResponseView {
  return problem(415, "The body must come without a Content-Encoding.", {
    headers: { "accept-encoding": "identity" },
  });
}

async function accept(
  { gateway, options }: HttpContext,
  request: RequestView,
  { checker, query, contentType, priority, idempotencyKey }: Submit,
  model: string,
  operation: string,
): Promise<TaskRecord> {
  const { announcedBytes = 0 } = request.body;
  if (announcedBytes > options.maxBodyBytes) throw payloadTooLarge(options.maxBodyBytes);
  const taken = await request.body.take(Math.min(options.inlineBytes, options.maxBodyBytes));
  let payload: Uint8Array | LimitedBody;
  if (taken instanceof Uint8Array) {
    payload = taken;
    checker?.push(taken);
    checker?.end();
  } else payload = new LimitedBody(taken, options.maxBodyBytes, checker);
  try {
    return await gateway.submit({
      model,
      operation,
      payload,
      query,
      contentType,
      priority,
      idempotencyKey,
      source: `ip=${request.clientAddress ?? "N/A"}; ua=${request.header("user-agent") ?? "N/A"}`,
    });
  } catch (error) {
    if (!(payload instanceof LimitedBody)) throw error;
    await payload.return();
    throw payload.failure ?? error;
  }
}
