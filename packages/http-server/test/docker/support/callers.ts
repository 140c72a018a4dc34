import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "vitest";
import { type Answer, call } from "../../support/http-client.ts";

export interface TaskWish {
  readonly task?: string;
  readonly contentType?: string;
  readonly body?: string;
}

const BOUNDARY = "----boundary-of-a-form";

/** A form as trainings want it. */
export const TRAINING: TaskWish = {
  task: "train_unsupervised",
  contentType: `multipart/form-data; boundary=${BOUNDARY}`,
  body: [
    `--${BOUNDARY}`,
    'Content-Disposition: form-data; name="training_data"; filename="texts.json"',
    "Content-Type: application/json",
    "",
    '["a text"]',
    `--${BOUNDARY}--`,
    "",
  ].join("\r\n"),
};

export function submit(url: string, model: string, wish: TaskWish = {}): Promise<Answer> {
  const { task = "process", contentType = "text/plain", body = "a text" } = wish;
  const headers = { "content-type": contentType };
  return call(url, `/models/${model}/tasks/${task}`, { method: "POST", headers, body });
}

/** Submits a task that is to be taken, and gives its id. */
export async function submitted(url: string, model: string, wish?: TaskWish): Promise<string> {
  const answer = await submit(url, model, wish);
  expect(answer.status, answer.text).toBe(200);
  return answer.json.uuid;
}

/** A task's details when it came to its end. */
export async function ended(url: string, id: string, timeoutMs = 30_000): Promise<Answer["json"]> {
  for (const untilMs = performance.now() + timeoutMs; ; ) {
    const { json } = await call(url, `/tasks/${id}?detail=true`);
    if (json.status === "succeeded" || json.status === "failed") return json;
    if (performance.now() > untilMs) throw new Error(`the task is ${json.status} after ${timeoutMs} ms`);
    await sleep(20);
  }
}

export const namesOf = (answer: Answer, list: "running" | "on_demand"): string[] =>
  answer.json[list].map(({ name }: { name: string }) => name);

/** A deployment's state, or the status of the answer where there is none. */
export async function stateOf(url: string, model: string): Promise<string | number> {
  const { status, json } = await call(url, `/models/${model}/deployment`);
  return status === 200 ? json.state : status;
}

/** Waits until what is looked at is as it should be; tests that run side by side cannot use `expect.poll`. */
export async function until<T>(
  look: () => Promise<T> | T,
  holds: (seen: T) => boolean,
  timeoutMs = 15_000,
): Promise<T> {
  for (const untilMs = performance.now() + timeoutMs; ; await sleep(30)) {
    const seen = await look();
    if (holds(seen)) return seen;
    if (performance.now() > untilMs) throw new Error(`after ${timeoutMs} ms it is ${JSON.stringify(seen)}`);
  }
}

export async function ready(url: string, model: string): Promise<void> {
  await until(
    () => stateOf(url, model),
    (state) => state === "ready",
  );
}
