import { setTimeout as sleep } from "node:timers/promises";
import type { TaskState } from "@modelgate/core";
import { randomOf } from "../support/random.ts";
import { type Reply, send } from "../support/send.ts";
import { digestOf, digestOfResult } from "./model-answers.ts";
import type { Recorder } from "./recorder.ts";
import type { ChaosTask } from "./task-load.ts";

/** Where a client can turn to. */
export interface Door {
  readonly url: string;
  readonly by: string;
  readonly isUp: boolean;
}

export interface ClientsOptions {
  readonly doors: readonly Door[];
  readonly recorder: Recorder;
  readonly seed: number;
  readonly model: string;
}

/** A task that some gateway has accepted. */
export interface Accepted {
  readonly id: string;
  readonly task: ChaosTask;
  ending: TaskState | undefined;
}

const ENDINGS: readonly string[] = ["succeeded", "failed", "cancelled"];
const SUBMIT_LIMIT_MS = 15_000;
const LONGEST_RETRY_MS = 6_000;

/** All clients of a run. They repeat what is unclear under the same idempotency key, and write down what they see. */
export class Clients {
  readonly accepted: Accepted[] = [];
  readonly #options: ClientsOptions;
  readonly #random: () => number;
  #isOver = false;

  constructor(options: ClientsOptions) {
    this.#options = options;
    this.#random = randomOf(options.seed ^ 0x636c6974);
  }

  /** Nobody submits, cancels or reads at random any more; what is under way comes to its end. */
  stop(): void {
    this.#isOver = true;
  }

  /** Submits the tasks, spread over `withinMs`, by so many clients; resolves once each is accepted, or all is over. */
  async submitAll(
    tasks: Iterable<ChaosTask>,
    count: number,
    withinMs: number,
    clients: number,
  ): Promise<void> {
    const startedMs = performance.now();
    const rest = tasks[Symbol.iterator]();
    let taken = 0;
    const asks: Promise<void>[] = [];
    await Promise.all(
      Array.from({ length: clients }, async () => {
        for (;;) {
          const next = rest.next();
          if (next.done) return;
          taken += 1;
          await sleep(Math.max(0, startedMs + (taken / count) * withinMs - performance.now()));
          const accepted = await this.#submit(next.value);
          if (accepted === undefined) return;
          const { cancelAfterMs } = next.value;
          if (cancelAfterMs !== undefined) asks.push(sleep(cancelAfterMs).then(() => this.#cancel(accepted)));
        }
      }),
    );
    await Promise.all(asks);
  }

  /** Looks at tasks at random, the newest more often, ended ones too. */
  async readUntilOver(pauseMs: number): Promise<void> {
    while (!this.#isOver) {
      const { length } = this.accepted;
      const back = Math.floor(this.#random() ** 2 * length);
      const task = this.accepted[length - 1 - back];
      if (task !== undefined) await this.look(task).catch(() => {});
      await sleep(pauseMs);
    }
  }

  /** Reads state and result once. Rejects when nobody answers; tells whether the ending and its result were read. */
  async look(accepted: Accepted): Promise<boolean> {
    const { recorder } = this.#options;
    const { id, task } = accepted;
    const door = this.#door();
    const askedAtMs = Date.now();
    const { status, body } = await send(`${door.url}/tasks/${id}`);
    if (status !== 200) {
      this.#judge(status, `${id} was accepted and is answered with`);
      return false;
    }
    const { status: state } = JSON.parse(body.toString()) as { status: TaskState };
    recorder.add({ kind: "seen", id, state, askedAtMs });
    recorder.count("reads");
    if (!ENDINGS.includes(state)) return false;
    accepted.ending = state;
    if (state !== "succeeded") return true;
    const readAtMs = Date.now();
    const download = await send(`${door.url}/tasks/${id}?download=true`, { timeoutMs: 60_000 });
    if (download.status >= 500) {
      this.#judge(download.status, `the result of ${id} is answered with`);
      return false;
    }
    const outcome = download.status === 200 ? "ok" : `status ${download.status}`;
    const digest = digestOfResult(task.operation, id, download.body);
    recorder.add({ kind: "read", id, state, askedAtMs: readAtMs, outcome, digest });
    recorder.count("results read");
    return true;
  }

  async #submit(task: ChaosTask): Promise<Accepted | undefined> {
    const { recorder, model } = this.#options;
    const { nonce, operation, query, priority, contentType, body } = task;
    recorder.add({ kind: "offered", id: nonce, answer: task.answer, isValid: true });
    while (!this.#isOver) {
      const door = this.#door();
      const { by } = door;
      try {
        const reply = await send(
          `${door.url}/models/${model}/tasks/${operation}?${query}&priority=${priority}`,
          {
            method: "POST",
            headers: { "content-type": contentType, "idempotency-key": nonce },
            body,
            timeoutMs: SUBMIT_LIMIT_MS,
          },
        );
        recorder.count(`submit ${reply.status}`);
        if (reply.status === 200) {
          const { uuid } = JSON.parse(reply.body.toString()) as { uuid: string };
          recorder.add({ kind: "accepted", id: uuid, by });
          const accepted: Accepted = { id: uuid, task, ending: undefined };
          this.accepted.push(accepted);
          return accepted;
        }
        if (![409, 429, 503, 507].includes(reply.status)) {
          recorder.complain(
            `a submit was answered with ${reply.status}: ${reply.body.toString().slice(0, 200)}`,
          );
        }
        // A key whose first request is still under way is no refusal.
        if (reply.status === 409) recorder.add({ kind: "unclear", id: nonce });
        else recorder.add({ kind: "refused", id: nonce, code: codeOf(reply) });
        await sleep(retryMs(reply));
      } catch {
        recorder.add({ kind: "unclear", id: nonce });
        recorder.count("submit unclear");
        await sleep(100 + 400 * this.#random());
      }
    }
    return undefined;
  }

  async #cancel(accepted: Accepted): Promise<void> {
    const { recorder } = this.#options;
    while (!this.#isOver) {
      try {
        const { status } = await send(`${this.#door().url}/tasks/${accepted.id}`, { method: "DELETE" });
        if (status === 200) return recorder.count("cancels");
        this.#judge(status, `the cancel of ${accepted.id} is answered with`);
      } catch {
        // Asking again is harmless.
      }
      await sleep(300);
    }
  }

  /** A store that is away excuses a 503; nothing excuses anything else. */
  #judge(status: number, what: string): void {
    const { recorder } = this.#options;
    recorder.count(`read ${status}`);
    if (status !== 503) recorder.complain(`${what} ${status}`);
  }

  #door(): Door {
    const { doors } = this.#options;
    const up = doors.filter((door) => door.isUp);
    const from = up.length > 0 ? up : doors;
    const door = from[Math.floor(this.#random() * from.length)];
    if (door === undefined) throw new Error("there is no gateway");
    return door;
  }
}

function retryMs({ headers }: Reply): number {
  const seconds = Number(headers["retry-after"] ?? 1);
  return Math.min(LONGEST_RETRY_MS, 1_000 * (Number.isFinite(seconds) ? seconds : 1));
}

/** The gateway's code; `undefined` stands for a refusal that has none. */
function codeOf({ status, body }: Reply): string {
  try {
    const { code, detail } = JSON.parse(body.toString()) as { code?: string; detail?: unknown };
    if (code !== undefined) return code;
    if (status === 503 && String(detail).includes("not available")) return "MODEL_UNKNOWN";
  } catch {
    // An answer without JSON is known by its status alone.
  }
  return `status ${status}: ${digestOf(body).slice(0, 8)}`;
}
