import { type Gateway, GatewayError, type TaskRecord } from "@modelgate/core";
import { detail, type Issue, invalid, json, missing } from "../answers.ts";
import type { HttpContext } from "../context.ts";
import type { RequestView, ResponseView, Route } from "../exchange.ts";
import { LimitedBody, payloadTooLarge } from "../limited-body.ts";
import { preferredWaitSeconds } from "../prefer.ts";
import { takeParameter } from "../query.ts";
import { modelNotAvailable } from "./model-texts.ts";
import { expectedType, listOperations } from "./operations.ts";
import { answerWithin } from "./wait-answer.ts";

const PRIORITY_HEADER = "x-modelgate-priority";

export function submitRoute(context: HttpContext): Route {
  const { gateway } = context;
  return async (request, [model = "", operation = ""]) => {
    const { value, rest } = takeParameter(request.query, "priority");
    const priority = readPriority(value, request.header(PRIORITY_HEADER));
    const refusal = refuse(gateway, request, operation, priority.issue);
    if (refusal !== undefined) {
      // Whether the model is known comes before everything else; asked here, it costs good submits nothing.
      return isKnown(gateway, model) ? refusal : modelNotAvailable(gateway, model);
    }

    let task: TaskRecord;
    try {
      task = await accept(context, request, { model, operation, query: rest, priority: priority.value });
    } catch (error) {
      if (GatewayError.is(error, "MODEL_UNKNOWN")) return modelNotAvailable(gateway, model);
      if (GatewayError.is(error, "OPERATION_UNKNOWN")) return taskNotFound(gateway, operation);
      throw error;
    }
    const waitSeconds = preferredWaitSeconds(request.header("prefer"));
    if (waitSeconds !== undefined) return answerWithin(context, request, task, waitSeconds);
    return json(200, { uuid: task.id, status: "Task submitted successfully" });
  };
}

function isKnown(gateway: Gateway, model: string): boolean {
  return gateway.models().some(({ name }) => name === model);
}

function refuse(
  gateway: Gateway,
  request: RequestView,
  operation: string,
  priorityIssue: Issue | undefined,
): ResponseView | undefined {
  const contentType = request.header("content-type");
  if (contentType === undefined || contentType === "") return missing(["header", "content-type"]);
  if (!gateway.operations().includes(operation)) return taskNotFound(gateway, operation);
  const expected = expectedType(operation);
  const essence = contentType.split(";", 1)[0]?.trim().toLowerCase();
  if (expected !== undefined && essence !== expected && essence !== "text/plain") {
    return detail(400, `Unsupported content type: expected ${expected}`);
  }
  return priorityIssue === undefined ? undefined : invalid([priorityIssue]);
}

function taskNotFound(gateway: Gateway, operation: string): ResponseView {
  const supported = listOperations(gateway).join(", ");
  return detail(404, `Task '${operation}' not found. Supported tasks are: ${supported}`);
}

async function accept(
  { gateway, options }: HttpContext,
  request: RequestView,
  identity: { model: string; operation: string; query: string; priority: number | undefined },
): Promise<TaskRecord> {
  const { announcedBytes = 0 } = request.body;
  if (announcedBytes > options.maxBodyBytes) throw payloadTooLarge(options.maxBodyBytes);
  const taken = await request.body.take(Math.min(options.inlineBytes, options.maxBodyBytes));
  const payload = taken instanceof Uint8Array ? taken : new LimitedBody(taken, options.maxBodyBytes);
  try {
    return await gateway.submit({
      ...identity,
      payload,
      contentType: request.header("content-type"),
      source: `ip=${request.clientAddress ?? "unknown"}; ua=${request.header("user-agent") ?? "unknown"}`,
    });
  } catch (error) {
    throw (payload instanceof LimitedBody ? payload.failure : undefined) ?? error;
  }
}

interface Priority {
  readonly value?: number | undefined;
  readonly issue?: Issue | undefined;
}

function readPriority(inQuery: string | undefined, inHeader: string | undefined): Priority {
  const input = inQuery ?? inHeader;
  if (input === undefined) return {};
  const loc = inQuery === undefined ? ["header", PRIORITY_HEADER] : ["query", "priority"];
  const text = input.trim();
  if (!/^[+-]?\d+$/.test(text)) {
    const msg = "Input should be a valid integer, unable to parse string as an integer";
    return { issue: { type: "int_parsing", loc, msg, input } };
  }
  const value = Number(text);
  if (value < 0) {
    const msg = "Input should be greater than or equal to 0";
    return { issue: { type: "greater_than_equal", loc, msg, input, ctx: { ge: 0 } } };
  }
  if (value > 10) {
    const msg = "Input should be less than or equal to 10";
    return { issue: { type: "less_than_equal", loc, msg, input, ctx: { le: 10 } } };
  }
  return { value: value === 0 ? 0 : value };
}
