import { GatewayError, type TaskRecord } from "@modelgate/core";
import { detail, invalid, json } from "../answers.ts";
import type { HttpContext } from "../context.ts";
import type { ResponseView, Route } from "../exchange.ts";
import { pythonTime } from "../python-text.ts";
import { readBooleans } from "../query.ts";
import { resultAnswer, resultName } from "./result-answer.ts";

const listRefused = detail(403, "Only admins can list tasks");

export const listTasksRoute: Route = () => listRefused;

export function getTaskRoute({ gateway }: HttpContext): Route {
  return async ({ query }, [id = ""]) => {
    const { values, issues } = readBooleans(query, ["detail", "download"]);
    if (issues.length > 0) return invalid(issues);
    return orNotFound(id, async () => {
      if (values.download) {
        const download = await downloadAnswer(gateway.result(id));
        if (download !== undefined) return download;
      }
      const task = await gateway.get(id);
      return json(200, values.detail ? taskDetail(task) : shortForm(task));
    });
  };
}

export function cancelTaskRoute({ gateway }: HttpContext): Route {
  return (_request, [id = ""]) => orNotFound(id, async () => json(200, shortForm(await gateway.cancel(id))));
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

function taskNotFound(id: string): ResponseView {
  return detail(404, `Task '${id}' not found`);
}

/** The result as a download; `undefined` as long as there is none. */
async function downloadAnswer(
  reading: ReturnType<HttpContext["gateway"]["result"]>,
): Promise<ResponseView | undefined> {
  try {
    const result = await reading;
    return resultAnswer(result, 200, `attachment; filename=${resultName(result.task.id)}`);
  } catch (error) {
    if (GatewayError.is(error, "TASK_NOT_ENDED") || GatewayError.is(error, "NO_RESULT")) return undefined;
    throw error;
  }
}

function shortForm(task: TaskRecord): Record<string, string> {
  return { uuid: task.id, status: task.state };
}

function taskDetail(task: TaskRecord): Record<string, string | null> {
  const hasResult = task.result !== undefined && task.result.isForgotten !== true;
  return {
    ...shortForm(task),
    model: task.model,
    type: task.operation,
    source: task.source ?? null,
    created_at: pythonTime(task.createdAtMs),
    started_at: pythonTime(task.startedAtMs),
    finished_at: pythonTime(task.finishedAtMs),
    result: hasResult ? resultName(task.id) : null,
    error_message: task.state === "failed" ? (task.error?.message ?? null) : null,
    tracking_id: task.runId ?? null,
  };
}
