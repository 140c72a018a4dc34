import type { TaskRecord } from "@modelgate/core";
import { bareProblem } from "../answers.ts";
import type { ResponseView } from "../exchange.ts";
import { pythonTime } from "../python-text.ts";
import { resultName } from "./result-answer.ts";

export function shortForm(task: TaskRecord): Record<string, string> {
  return { uuid: task.id, status: task.state };
}

/** The eleven fields that callers know. */
export function detailForm(task: TaskRecord): Record<string, string | null> {
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

/** And what only this gateway knows. */
export function fullForm(task: TaskRecord): Record<string, string | number | null> {
  const { priority, attempt, server = null } = task;
  return { ...detailForm(task), priority, attempt, server };
}

export function taskNotFound(id: string): ResponseView {
  return bareProblem(404, `Task '${id}' not found`, { code: "TASK_UNKNOWN" });
}
