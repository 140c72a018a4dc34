import { GatewayError } from "@modelgate/core";
import { invalid, json } from "../answers.ts";
import type { HttpContext } from "../context.ts";
import { Refused, type ResponseView, type Route } from "../exchange.ts";
import { readJsonBody } from "../json-body.ts";
import { checkPriority, readPriority } from "../priority.ts";
import { readBooleans, takeParameter } from "../query.ts";
import { downloadAnswer } from "./download.ts";
import { errorMessage } from "./error-message.ts";
import { modelNotAvailable } from "./model-texts.ts";
import { detailForm, fullForm, shortForm, taskNotFound } from "./task-forms.ts";

export function getTaskRoute({ gateway }: HttpContext): Route {
  return async (request, [id = ""]) => {
    const { values, issues } = readBooleans(request.query, ["detail", "download"]);
    if (issues.length > 0) return invalid(issues);
    return orNotFound(id, async () => {
      if (values.download) {
        const download = await downloadAnswer(gateway, request, id);
        if (download !== undefined) return download;
      }
      const task = await gateway.get(id);
      if (!values.detail) return json(200, shortForm(task));
      return json(200, { ...detailForm(task), error_message: await errorMessage(gateway, task) });
    });
  };
}

export function cancelTaskRoute({ gateway }: HttpContext): Route {
  return (_request, [id = ""]) => orNotFound(id, async () => json(200, shortForm(await gateway.cancel(id))));
}

export function retryTaskRoute({ gateway }: HttpContext): Route {
  return ({ query }, [id = ""]) => {
    const { value, issue } = readPriority(takeParameter(query, "priority").value);
    if (issue !== undefined) return invalid([issue]);
    return orNotFound(id, async () => {
      try {
        return json(200, shortForm(await gateway.retry(id, { priority: value })));
      } catch (error) {
        if (!GatewayError.is(error, "MODEL_UNKNOWN")) throw error;
        return modelNotAvailable(gateway, (await gateway.get(id)).model);
      }
    });
  };
}

/** Changes what can be changed of a task that exists: how urgent it is. */
export function patchTaskRoute({ gateway }: HttpContext): Route {
  return (request, [id = ""]) =>
    orNotFound(id, async () => {
      const priority = priorityOf(await readJsonBody(request.body));
      return json(200, fullForm(await gateway.reprioritise(id, priority)));
    });
}

function priorityOf(body: Readonly<Record<string, unknown>>): number {
  const refuse = (type: string, field: string, msg: string): Refused =>
    new Refused(invalid([{ type, loc: ["body", field], msg, input: null }]));
  for (const field of Object.keys(body)) {
    if (field !== "priority") throw refuse("extra_forbidden", field, "Only the priority can be changed");
  }
  const { priority } = body;
  if (priority === undefined) throw refuse("missing", "priority", "Field required");
  if (!Number.isInteger(priority)) throw refuse("int_type", "priority", "Input should be a valid integer");
  const { value, issue } = checkPriority(priority as number, ["body", "priority"], String(priority));
  if (issue !== undefined || value === undefined)
    throw new Refused(invalid(issue === undefined ? [] : [issue]));
  return value;
}

async function orNotFound(id: string, answer: () => Promise<ResponseView>): Promise<ResponseView> {
  // No task has such an id, and no store has to be asked.
  if (!/^[\w-]{1,128}$/.test(id)) return taskNotFound(id);
  try {
    return await answer();
  } catch (error) {
    if (GatewayError.is(error, "TASK_UNKNOWN")) return taskNotFound(id);
    throw error;
  }
}
