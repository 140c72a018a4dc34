import type { TaskRecord } from "../src/contracts/task.ts";
import { GatewayError } from "../src/errors.ts";
import type { Gateway, SubmitRequest } from "../src/gateway-api.ts";
import { isEnded } from "../src/testing/checker/replay.ts";
import { answerTo, digestOf, readAll } from "./digest.ts";
import type { Random } from "./random.ts";
import type { Recorder } from "./recorder.ts";
import type { Scenario } from "./scenario.ts";
import type { SimGateway } from "./sim-gateway.ts";
import type { VirtualTime } from "./virtual-time.ts";

/** How long a client waits for an answer before it asks somebody else. */
const PATIENCE_MS = 12_000;
const SUBMIT_TRIES = 6;
const encoder = new TextEncoder();

export interface ClientContext {
  readonly scenario: Scenario;
  readonly time: VirtualTime;
  readonly random: Random;
  readonly recorder: Recorder;
  /** Gateways that can be asked now. */
  readonly usable: () => readonly SimGateway[];
}

type Answer<T> =
  | { readonly ok: true; readonly value: T; readonly by: string }
  | { readonly ok: false; readonly code: string };

/** Uses the gateways as people do: again when it is unclear, impatiently, and with an eye on what they said before. */
export class SimClients {
  readonly #context: ClientContext;
  /** Calls that have not come back, and whom they asked. */
  readonly #open = new Map<number, { readonly name: string; readonly gateway: SimGateway }>();
  readonly accepted: Map<string, string> = new Map();
  #calls = 0;
  #tasks = 0;
  /** Client scripts that are under way. */
  busy = 0;

  constructor(context: ClientContext) {
    this.#context = context;
  }

  /** Runs a script and counts it as busy until it is over. */
  run(script: () => Promise<void>): void {
    this.busy += 1;
    void script().finally(() => {
      this.busy -= 1;
    });
  }

  /** Calls that a live gateway has never answered. */
  reportHung(): void {
    for (const { name, gateway } of this.#open.values()) {
      if (gateway.process.isAlive)
        this.#context.recorder.add({ kind: "hung", call: name, by: gateway.process.name });
    }
  }

  /** Submits one task, or a batch with some bad items among the good ones, and follows each good one to its end. */
  async submitSome(count: number, models: readonly string[]): Promise<void> {
    const { random } = this.#context;
    const requests = Array.from({ length: count }, () => this.#request(random.pick(models)));
    const bad = count > 1 && random.chance(0.5) ? [this.#badRequest(random.pick(models))] : [];
    const all = [...requests, ...bad].sort(() => (random.chance(0.5) ? 1 : -1));
    for (const request of all) this.#offer(request, !bad.includes(request));
    await this.#submitUntilClear(all);
    for (const { id } of requests) if (this.accepted.has(id)) this.run(() => this.#follow(id));
  }

  /** Looks at every accepted task once more, after all has come to rest. */
  async readAll(): Promise<void> {
    for (const id of this.accepted.keys()) await this.#look(id);
  }

  #request(model: string): SubmitRequest & { readonly id: string } {
    const { random, scenario } = this.#context;
    this.#tasks += 1;
    const id = `t${this.#tasks}${random.chance(0.03) ? "-x" : ""}`;
    const draw = random.next();
    return {
      id,
      model,
      operation: draw < 0.6 ? "process" : draw < 0.75 ? "append" : draw < 0.92 ? "train" : "score",
      payload: `${scenario.seed}/${id}/${"x".repeat(random.integer(0, 90))}`,
      priority: random.integer(0, 10),
      waitMs: random.chance(0.04) ? random.between(500, 8_000) : undefined,
    };
  }

  #badRequest(model: string): SubmitRequest & { readonly id: string } {
    const { random } = this.#context;
    const good = this.#request(model);
    return random.pick([
      { ...good, priority: 11 },
      { ...good, operation: "nothing" },
      { ...good, query: "a=\0" },
      { ...good, id: `${good.id}.bad` },
      { ...good, owner: "\0" },
    ]);
  }

  #offer({ id, payload }: SubmitRequest & { readonly id: string }, isValid: boolean): void {
    const answer = digestOf(answerTo(encoder.encode(payload as string)));
    this.accepted.delete(id);
    this.#context.recorder.add({ kind: "offered", id, answer, isValid });
    if (isValid) this.#answers.set(id, answer);
  }

  readonly #answers = new Map<string, string>();

  async #submitUntilClear(requests: readonly (SubmitRequest & { readonly id: string })[]): Promise<void> {
    const { recorder, time, random } = this.#context;
    let open = [...requests];
    for (let tries = 0; tries < SUBMIT_TRIES && open.length > 0; tries++) {
      if (tries > 0) await time.sleep(random.between(100, 2_000));
      const answer = await this.#ask("submit", (gateway) => gateway.submit(open));
      if (!answer.ok) continue;
      const again: typeof open = [];
      for (const [at, request] of open.entries()) {
        const result = answer.value[at];
        if (result?.ok === true) {
          this.accepted.set(request.id, this.#answers.get(request.id) ?? "");
          recorder.add({ kind: "accepted", id: request.id, by: answer.by });
        } else if (result === undefined || result.error.retryable) again.push(request);
        else recorder.add({ kind: "refused", id: request.id, code: result.error.code });
      }
      open = again;
    }
    for (const { id } of open) recorder.add({ kind: "unclear", id });
  }

  /** Follows a task by waiting or polling, and now and then wants something else of it. */
  async #follow(id: string): Promise<void> {
    const { time, random } = this.#context;
    if (random.chance(0.15)) {
      this.run(async () => {
        await time.sleep(random.between(0, 6_000));
        await this.#ask("cancel", (gateway) => gateway.cancel(id));
      });
    }
    if (random.chance(0.15)) {
      this.run(async () => {
        await time.sleep(random.between(0, 3_000));
        await this.#ask("reprioritise", (gateway) => gateway.reprioritise(id, random.integer(0, 10)));
      });
    }
    const waits = random.chance(0.6);
    for (;;) {
      const task = waits ? await this.#wait(id) : await this.#get(id);
      if (task !== undefined && isEnded(task)) break;
      await time.sleep(waits ? random.between(10, 200) : random.between(500, 4_000));
    }
    await this.#look(id);
    if (random.chance(0.08)) await this.#retry(id);
  }

  async #wait(id: string): Promise<TaskRecord | undefined> {
    const askedAtMs = this.#context.time.nowMs;
    const answer = await this.#ask("wait", (gateway) => gateway.wait(id, { timeoutMs: PATIENCE_MS - 4_000 }));
    return this.#seen(id, askedAtMs, answer);
  }

  async #get(id: string): Promise<TaskRecord | undefined> {
    const askedAtMs = this.#context.time.nowMs;
    return this.#seen(id, askedAtMs, await this.#ask("get", (gateway) => gateway.get(id)));
  }

  #seen(id: string, askedAtMs: number, answer: Answer<TaskRecord>): TaskRecord | undefined {
    if (!answer.ok) return undefined;
    this.#context.recorder.add({ kind: "seen", id, state: answer.value.state, askedAtMs });
    return answer.value;
  }

  /** Reads the state and, of an ended task, the result. */
  async #look(id: string): Promise<void> {
    const task = await this.#get(id);
    if (task === undefined || !isEnded(task)) return;
    const askedAtMs = this.#context.time.nowMs;
    const answer = await this.#ask("result", async (gateway) =>
      digestOf(await readAll((await gateway.result(id)).body)),
    );
    const { state } = task;
    if (answer.ok)
      this.#context.recorder.add({ kind: "read", id, state, askedAtMs, outcome: "ok", digest: answer.value });
    else this.#context.recorder.add({ kind: "read", id, state, askedAtMs, outcome: answer.code });
  }

  async #retry(id: string): Promise<void> {
    const { recorder } = this.#context;
    const answer = await this.#ask("retry", (gateway) => gateway.retry(id));
    if (!answer.ok) return;
    const { value: task } = answer;
    recorder.add({ kind: "offered", id: task.id, answer: this.#answers.get(id) ?? "", isValid: true });
    this.#answers.set(task.id, this.#answers.get(id) ?? "");
    this.accepted.set(task.id, this.#answers.get(id) ?? "");
    recorder.add({ kind: "accepted", id: task.id, by: answer.by });
    this.run(() => this.#follow(task.id));
  }

  /** Asks some gateway; whoever does not answer in time, or dies, leaves it unclear. */
  async #ask<T>(name: string, call: (gateway: Gateway) => Promise<T>): Promise<Answer<T>> {
    const { time, random } = this.#context;
    const usable = this.#context.usable();
    if (usable.length === 0) {
      await time.sleep(200);
      return { ok: false, code: "unclear" };
    }
    const asked = random.pick(usable);
    const number = this.#calls++;
    this.#open.set(number, { name, gateway: asked });
    return await new Promise((resolve) => {
      const by = asked.process.name;
      const finish = (answer: Answer<T>): void => {
        cancelPatience();
        forgetDeath();
        resolve(answer);
      };
      const unclear = (): void => finish({ ok: false, code: "unclear" });
      const cancelPatience = time.after(PATIENCE_MS, unclear);
      const forgetDeath = asked.process.onDeath(unclear);
      asked.process.deliver(() => {
        call(asked.gateway).then(
          (value) => {
            this.#open.delete(number);
            asked.process.deliver(() => finish({ ok: true, value, by }));
          },
          (error: unknown) => {
            this.#open.delete(number);
            asked.process.deliver(() =>
              finish({
                ok: false,
                code: GatewayError.is(error) ? error.code : `UNEXPECTED: ${String(error)}`,
              }),
            );
          },
        );
      });
    });
  }
}
