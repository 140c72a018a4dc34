import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "vitest";
import { type Answer, call } from "../support/http-client.ts";

/** A task that was accepted, and what its result must be. */
interface Accepted {
  readonly id: string;
  readonly result: string;
}

/** A text and what the model server makes of it; some of either are too large to be kept in the ledger. */
function exampleOf(at: number): { readonly body: string; readonly result: string } {
  if (at % 3 === 0) return { body: "large:40000", result: "x".repeat(40_000) };
  const body = `delay:40 ${at} `.padEnd(at % 3 === 1 ? 60_000 : 40, "x");
  return { body, result: `{"length":${body.length}}` };
}

/** Submits task after task until it is stopped. */
export class Load {
  readonly #url: string;
  readonly #accepted: Accepted[] = [];
  readonly #senders: readonly Promise<void>[];
  #isOver = false;
  #sent = 0;

  constructor(url: string) {
    this.#url = url;
    this.#senders = Array.from({ length: 4 }, () => this.#send());
  }

  /** What was accepted up to now. */
  get accepted(): readonly Accepted[] {
    return [...this.#accepted];
  }

  async until(count: number): Promise<void> {
    while (this.#accepted.length < count) await sleep(10);
  }

  async stop(): Promise<void> {
    this.#isOver = true;
    await Promise.all(this.#senders);
  }

  async #send(): Promise<void> {
    while (!this.#isOver) {
      this.#sent += 1;
      const { body, result } = exampleOf(this.#sent);
      const headers = { "content-type": "text/plain" };
      const answer = await call(this.#url, "/models/nlp/tasks/process", { method: "POST", headers, body });
      expect(answer.status, answer.text).toBe(200);
      this.#accepted.push({ id: answer.json.uuid, result });
      await sleep(100);
    }
  }
}

/** Each of them comes to its end and has its own result; resolves to those that are not there. */
export async function missingOf(url: string, tasks: readonly Accepted[]): Promise<readonly Accepted[]> {
  const missing: Accepted[] = [];
  for (const task of tasks) if (!(await isThere(url, task))) missing.push(task);
  return missing;
}

async function isThere(url: string, { id, result }: Accepted): Promise<boolean> {
  let answer: Answer;
  do {
    await sleep(5);
    answer = await call(url, `/tasks/${id}?detail=true`);
    if (answer.status === 404) return false;
    expect(answer.status, answer.text).toBe(200);
  } while (answer.json.status !== "succeeded" && answer.json.status !== "failed");
  expect(answer.json).toMatchObject({ status: "succeeded" });
  const { status, text } = await call(url, `/tasks/${id}?download=true`);
  expect([status, text]).toEqual([200, result]);
  return true;
}
