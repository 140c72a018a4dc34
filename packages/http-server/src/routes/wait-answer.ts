import { GatewayError, type TaskRecord, type TaskResult } from "@modelgate/core";
import { json, statefulProblem } from "../answers.ts";
import type { HttpContext } from "../context.ts";
import type { RequestView, ResponseView } from "../exchange.ts";
import { discard } from "../read-stream.ts";
import { resultAnswer } from "./result-answer.ts";

/** Answers an accepted task with its ending, or, when that does not come in time, with where to look for it. */
export async function answerWithin(
  context: HttpContext,
  request: RequestView,
  accepted: TaskRecord,
  askedSeconds: number,
): Promise<ResponseView> {
  const { gateway, options, waits } = context;
  const seconds = Math.min(askedSeconds, Math.floor(options.maxWaitMs / 1000));
  const applied = { "preference-applied": `wait=${seconds}` };
  let task = accepted;
  try {
    task = await waits.run(request.onHangUp, (signal) =>
      // A wait that was cut short, as by a stop, is no reason not to tell how far the task is.
      gateway.wait(accepted.id, { timeoutMs: seconds * 1000, signal }).catch(() => gateway.get(accepted.id)),
    );
    const answer = await endingAnswer(context, task);
    if (answer !== undefined) return { ...answer, headers: { ...answer.headers, ...applied } };
  } catch (error) {
    // The task is accepted whatever went wrong since: an error here would have the caller send it again.
    options.onError(error);
  }
  const location = `${request.mountPath}${options.basePath}/tasks/${accepted.id}`;
  return json(202, { uuid: task.id, status: task.state }, { ...applied, location });
}

async function endingAnswer(context: HttpContext, task: TaskRecord): Promise<ResponseView | undefined> {
  if (task.state === "cancelled") return ended(409, task, "The task was cancelled.");
  if (task.state !== "succeeded" && task.state !== "failed") return undefined;
  const result = await readResult(context, task);
  if (task.state === "succeeded") {
    if (result === undefined)
      return ended(410, task, "The task succeeded and its result is gone.", "RESULT_EXPIRED");
    return resultAnswer(result, 200, result.disposition);
  }
  if (result !== undefined) {
    const { status = 0 } = result;
    if (status >= 400 && status <= 599) return resultAnswer(result, status, result.disposition);
    await discard(result.body);
  }
  return ended(502, task, task.error?.message ?? "The task failed.");
}

async function readResult({ gateway }: HttpContext, task: TaskRecord): Promise<TaskResult | undefined> {
  if (task.result === undefined) return undefined;
  try {
    return await gateway.result(task.id);
  } catch (error) {
    if (GatewayError.is(error, "RESULT_EXPIRED") || GatewayError.is(error, "NO_RESULT")) return undefined;
    throw error;
  }
}

function ended(status: number, task: TaskRecord, sentence: string, code?: string): ResponseView {
  const error = task.state === "failed" ? task.error : undefined;
  const body = {
    detail: sentence,
    uuid: task.id,
    status: task.state,
    ...(error !== undefined && { error }),
  };
  return statefulProblem(status, body, "task_status", {
    code: code ?? error?.code,
    headers: { "x-task-uuid": task.id, "x-task-status": task.state },
  });
}
