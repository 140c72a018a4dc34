import { GatewayError, type ListRequest, TASK_STATES, type TaskState } from "@modelgate/core";
import { createKeyCheck } from "../admin-key.ts";
import { bareProblem, type Issue, invalid, json } from "../answers.ts";
import type { HttpContext } from "../context.ts";
import type { Route } from "../exchange.ts";
import { readParameters } from "../query.ts";
import { readTime } from "../read-time.ts";
import { fullForm } from "./task-forms.ts";

const refused = bareProblem(403, "Only admins can list tasks");

export function listTasksRoute({ gateway, options }: HttpContext): Route {
  const hasKey = createKeyCheck(options.adminKey);
  return async (request) => {
    if (!hasKey(request)) return refused;
    const { list, issues } = readList(request.query);
    if (issues.length > 0) return invalid(issues);
    try {
      const { items, nextCursor = null } = await gateway.list(list);
      return json(200, { tasks: items.map(fullForm), next_cursor: nextCursor });
    } catch (error) {
      // Whether a cursor is one, only the store can tell.
      if (!GatewayError.is(error, "INVALID_REQUEST")) throw error;
      const field = String(error.details["field"] ?? "cursor");
      return invalid([{ type: "value_error", loc: ["query", field], msg: error.message, input: null }]);
    }
  };
}

function readList(query: string): { readonly list: ListRequest; readonly issues: readonly Issue[] } {
  const given = readParameters(query);
  const issues: Issue[] = [];
  const last = (name: string): string | undefined => given.get(name)?.at(-1);
  const refuse = (name: string, type: string, msg: string): undefined => {
    issues.push({ type, loc: ["query", name], msg, input: last(name) ?? null });
  };

  const states = given.get("status");
  if (states?.some((state) => !isState(state))) {
    refuse("status", "enum", `Input should be ${TASK_STATES.join(", ")}`);
  }
  const text = (name: string, most: number): string | undefined => {
    const value = last(name);
    if (value === undefined) return undefined;
    if (value.length > most || value.includes("\0")) {
      return refuse(name, "value_error", `Input should have at most ${most} characters, and no NUL`);
    }
    return value;
  };
  const time = (name: string): number | undefined => {
    const value = last(name);
    const atMs = value === undefined ? undefined : readTime(value);
    if (value === undefined || atMs !== undefined) return atMs;
    return refuse(
      name,
      "datetime_parsing",
      "Input should be a time in ISO 8601, or in milliseconds since 1970",
    );
  };
  const limitText = last("limit");
  const limit = limitText === undefined ? 100 : Number(limitText);
  if (limitText !== undefined && (!/^\d{1,4}$/.test(limitText) || limit < 1 || limit > 1000)) {
    refuse("limit", "int_parsing", "Input should be a whole number from 1 to 1000");
  }
  const filter = {
    states: states as TaskState[] | undefined,
    model: text("model", 256),
    operation: text("type", 256),
    owner: text("owner", 256),
    createdFromMs: time("created_from"),
    createdBeforeMs: time("created_before"),
  };
  return { list: { filter, limit, cursor: text("cursor", 1_024) }, issues };
}

function isState(text: string): text is TaskState {
  return (TASK_STATES as readonly string[]).includes(text);
}
