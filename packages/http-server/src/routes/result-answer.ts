import type { TaskResult } from "@modelgate/core";
import type { ResponseView } from "../exchange.ts";
import { headerValue } from "../header-value.ts";

/** The name under which a task's result is shown and downloaded. */
export function resultName(id: string): string {
  return `${id}_results.json`;
}

/** The server's own bytes and media type. */
export function resultAnswer(
  result: TaskResult,
  status: number,
  disposition: string | undefined,
): ResponseView {
  const { task } = result;
  const headers: Record<string, string> = {
    "content-type": headerValue(result.contentType) ?? "application/octet-stream",
    "x-task-uuid": task.id,
    "x-task-status": task.state,
    // What a server wrote is not for a browser to guess at.
    "x-content-type-options": "nosniff",
  };
  const shown = headerValue(disposition);
  if (shown !== undefined) headers["content-disposition"] = shown;
  if (result.status !== undefined) headers["x-server-status"] = String(result.status);
  return { status, headers, body: result.bytes ?? result.body, sizeBytes: result.sizeBytes };
}
