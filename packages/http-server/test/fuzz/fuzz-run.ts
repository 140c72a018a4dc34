import { exchangeFetch } from "./exchange-fetch.ts";
import { exchangeRaw } from "./exchange-raw.ts";
import { acceptedId, flawOf } from "./judge-answer.ts";
import { agentOf, type FuzzCase, type FuzzTarget, makeCase } from "./make-case.ts";
import { type RawAnswer, readAnswers } from "./read-answers.ts";

export interface FuzzOptions {
  /** Of the gateway, which has a model `nlp`. */
  readonly url: string;
  readonly adminKey: string;
  readonly seed: number;
  readonly requests: number;
  /** Only the case of this number, to see a failure again. */
  readonly only?: number | undefined;
  readonly atOnce?: number | undefined;
}

export interface FuzzReport {
  readonly cases: number;
  /** Answers by status. */
  readonly statuses: ReadonlyMap<number, number>;
  readonly accepted: number;
  readonly rows: number;
  /** Connections that closed without an answer, which is allowed after a hang-up and for what never was a request. */
  readonly unanswered: number;
  readonly failures: readonly string[];
}

/** Sends spoilt requests to a gateway and holds what it does against what it says it does. */
export async function fuzz(options: FuzzOptions): Promise<FuzzReport> {
  const { url, adminKey, seed, requests, only, atOnce = 8 } = options;
  const target: FuzzTarget = { adminKey, ids: await firstTasks(url) };
  const run = new FuzzRun(url, seed, target);
  let next = 0;
  const work = async (): Promise<void> => {
    while (next < requests) {
      const number = next;
      next += 1;
      if (only === undefined || only === number) await run.runCase(makeCase(seed, number, target));
    }
  };
  await Promise.all(Array.from({ length: atOnce }, work));
  await run.judgeWhole();
  return run.report(only === undefined ? requests : 1);
}

const TEXT = { "content-type": "text/plain" };

/** Some tasks that have ended, for requests about tasks. */
async function firstTasks(url: string): Promise<string[]> {
  const ids: string[] = [];
  for (const body of ["a", "a small note", "a large note ".repeat(9_000)]) {
    const headers = { ...TEXT, prefer: "wait=10" };
    const answer = await fetch(`${url}/models/nlp/tasks/process`, { method: "POST", headers, body });
    await answer.arrayBuffer();
    ids.push(answer.headers.get("x-task-uuid") ?? "");
  }
  return ids;
}

class FuzzRun {
  readonly #url: string;
  readonly #seed: number;
  readonly #target: FuzzTarget;
  readonly #statuses = new Map<number, number>();
  readonly #accepted = new Set<string>();
  /** Cases some of whose answers nobody may have waited for, and how many retries were among them. */
  readonly #loose = new Set<number>();
  #looseRetries = 0;
  readonly #failures: string[] = [];
  #rows = 0;
  #unanswered = 0;

  constructor(url: string, seed: number, target: FuzzTarget) {
    this.#url = url;
    this.#seed = seed;
    this.#target = target;
    for (const id of target.ids) this.#accepted.add(id);
  }

  async runCase(one: FuzzCase): Promise<void> {
    if (one.raw === undefined) {
      const { draft, abortAfterMs, number } = one;
      const { answer, isHung } = await exchangeFetch(this.#url, draft, agentOf(number), abortAfterMs);
      if (isHung) this.#fail(one, "no answer within 25 s");
      if (answer === undefined) this.#setLoose(one);
      else this.#judge(one, answer);
      return;
    }
    const { received, isWhole, isHung } = await exchangeRaw(Number(new URL(this.#url).port), one.raw);
    const { answers, flaw } = readAnswers(received);
    if (isHung) this.#fail(one, "neither an answer nor a close within 25 s");
    if (flaw !== undefined) this.#fail(one, `the answer is no HTTP: ${flaw}`);
    if (!isWhole || one.requests > 1) this.#setLoose(one);
    if (answers.length === 0) this.#unanswered += 1;
    if (answers.length === 0 && isWhole && received.byteLength === 0)
      this.#fail(one, "closed without an answer");
    for (const answer of answers) this.#judge(one, answer);
  }

  #setLoose({ number, retries }: FuzzCase): void {
    this.#loose.add(number);
    this.#looseRetries += retries;
  }

  #judge(one: FuzzCase, answer: RawAnswer): void {
    this.#statuses.set(answer.status, (this.#statuses.get(answer.status) ?? 0) + 1);
    const flaw = flawOf(answer);
    if (flaw !== undefined) this.#fail(one, `${flaw}: ${answer.body.toString("latin1").slice(0, 300)}`);
    const id = acceptedId(answer);
    if (id !== undefined) this.#accepted.add(id);
  }

  /** After all cases: the gateway is well, and has what it accepted and nothing else. */
  async judgeWhole(): Promise<void> {
    const health = await fetch(`${this.#url}/health`);
    if (health.status !== 200) this.#failures.push(`/health is ${health.status}: ${await health.text()}`);
    const headers = { ...TEXT, prefer: "wait=10" };
    const last = await fetch(`${this.#url}/models/nlp/tasks/process`, {
      method: "POST",
      headers,
      body: "last",
    });
    await last.arrayBuffer();
    if (last.status !== 200)
      this.#failures.push(`a valid request at the end is answered with ${last.status}`);
    this.#accepted.add(last.headers.get("x-task-uuid") ?? "");

    const rows = await this.#readRows();
    this.#rows = rows.size;
    for (const id of this.#accepted)
      if (!rows.has(id)) this.#failures.push(`task ${id} was accepted and is not there`);
    for (const [id, source] of rows) {
      if (this.#accepted.has(id)) continue;
      const number = Number(/ua=fuzz-(\d+)-/.exec(source)?.[1]);
      // A client that has gone before its answer came may have been accepted all the same.
      if (this.#loose.has(number)) continue;
      if (Number.isNaN(number)) this.#looseRetries -= 1;
      if (!Number.isNaN(number) || this.#looseRetries < 0) {
        this.#failures.push(`task ${id} (${source}) is there without an answer`);
      }
    }
  }

  async #readRows(): Promise<Map<string, string>> {
    const rows = new Map<string, string>();
    for (let query = "?limit=1000"; ; ) {
      const answer = await fetch(`${this.#url}/tasks/${query}`, {
        headers: { "x-modelgate-key": this.#target.adminKey },
      });
      const page = (await answer.json()) as {
        tasks: { uuid: string; source: string }[];
        next_cursor: string | null;
      };
      for (const { uuid, source } of page.tasks) rows.set(uuid, source);
      if (page.next_cursor === null) return rows;
      query = `?limit=1000&cursor=${encodeURIComponent(page.next_cursor)}`;
    }
  }

  #fail(one: FuzzCase, what: string): void {
    const sent =
      one.raw === undefined
        ? `${one.draft.method} ${one.draft.target} ${JSON.stringify(one.draft.headers)}`
        : one.raw.bytes.toString("latin1");
    this.#failures.push(
      `case ${one.number} of seed ${this.#seed} (${one.names.join(", ") || "as it is"}): ${what}\n    sent ${JSON.stringify(sent.slice(0, 1_500))}`,
    );
  }

  report(cases: number): FuzzReport {
    return {
      cases,
      statuses: new Map([...this.#statuses].sort(([a], [b]) => a - b)),
      accepted: this.#accepted.size,
      rows: this.#rows,
      unanswered: this.#unanswered,
      failures: this.#failures,
    };
  }
}
