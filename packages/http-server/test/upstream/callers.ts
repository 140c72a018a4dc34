import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "vitest";
import { formBody, type Part } from "../support/forms.ts";
import { type Answer, call } from "../support/http-client.ts";
import { ADMIN_KEY } from "./world.ts";

const BOUNDARY = "a-boundary-of-this-test";

export interface Sent {
  readonly task: string;
  readonly contentType: string;
  readonly body: string | Buffer;
  readonly query?: string;
}

/** A form of a task. */
export function formOf(task: string, parts: readonly Part[], query?: string): Sent {
  return {
    ...{ task, contentType: `multipart/form-data; boundary=${BOUNDARY}`, body: formBody(BOUNDARY, parts) },
    ...(query !== undefined && { query }),
  };
}

/** A request of an administrator. */
export function send(url: string, method: string, path: string, body?: unknown): Promise<Answer> {
  return call(url, path, {
    method,
    headers: {
      "x-modelgate-key": ADMIN_KEY,
      ...(body !== undefined && { "content-type": "application/json" }),
    },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
}

export function submit(
  url: string,
  model: string,
  { task, contentType, body, query }: Sent,
): Promise<Answer> {
  const path = `/models/${model}/tasks/${task}${query === undefined ? "" : `?${query}`}`;
  return call(url, path, { method: "POST", headers: { "content-type": contentType }, body });
}

/** Submits a task that is to be taken, and gives its id. */
export async function submitted(url: string, model: string, sent: Sent): Promise<string> {
  const answer = await submit(url, model, sent);
  expect(answer.status, answer.text).toBe(200);
  expect(answer.json).toEqual({ uuid: expect.any(String), status: "Task submitted successfully" });
  return answer.json.uuid;
}

/** A task's details when it came to its end. */
export async function ended(url: string, id: string, timeoutMs = 20_000): Promise<Answer["json"]> {
  for (const untilMs = performance.now() + timeoutMs; ; await sleep(20)) {
    const { json } = await call(url, `/tasks/${id}?detail=true`);
    if (json.status === "succeeded" || json.status === "failed") return json;
    if (performance.now() > untilMs) throw new Error(`${json.type} is ${json.status} after ${timeoutMs} ms`);
  }
}

/** What a download of a result gives. */
export async function resultOf(url: string, id: string): Promise<Answer> {
  const answer = await call(url, `/tasks/${id}?download=true`);
  expect(answer.status).toBe(200);
  expect(answer.headers).toMatchObject({
    "content-disposition": `attachment; filename=${id}_results.json`,
    "x-task-uuid": id,
  });
  return answer;
}

/** Runs a task to its good end. */
export async function run(url: string, model: string, sent: Sent): Promise<Answer> {
  const id = await submitted(url, model, sent);
  const details = await ended(url, id);
  expect(details).toMatchObject({
    ...{ uuid: id, status: "succeeded", model, type: sent.task, error_message: null },
    result: `${id}_results.json`,
  });
  return await resultOf(url, id);
}
