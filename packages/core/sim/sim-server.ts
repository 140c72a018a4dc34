import type { ModelServer } from "../src/contracts/discovery.ts";
import type { CallOutcome, RunReport, ServerAnswer } from "../src/contracts/server-protocol.ts";
import { GatewayError } from "../src/errors.ts";
import { answerTo } from "./digest.ts";
import type { Weather } from "./network.ts";
import type { Random } from "./random.ts";
import type { Recorder } from "./recorder.ts";
import type { ServerPlan } from "./scenario.ts";
import type { VirtualTime } from "./virtual-time.ts";

export interface ServerContext {
  readonly time: VirtualTime;
  readonly random: Random;
  readonly recorder: Recorder;
  readonly weather: Weather;
  /** Numbers the executions of one world. */
  readonly nextExecution: () => number;
  /** Tells discovery. */
  readonly onChange: (server: ModelServer | undefined, id: string, lagMs: number) => void;
}

/** One request as it arrives. */
export interface ServerRequest {
  readonly id: string;
  readonly payload: Uint8Array;
  readonly background: boolean;
  readonly reply: (outcome: CallOutcome) => void;
}

interface Execution {
  readonly id: string;
  readonly background: boolean;
  readonly reply: ((outcome: CallOutcome) => void) | undefined;
  cancel: () => void;
}

interface Run {
  readonly runId: string;
  execution: number;
  state: "active" | "succeeded" | "failed";
  readonly document: Uint8Array;
  /** From when on it is said to have failed for a while, although it works. */
  readonly doubtedFromMs: number;
}

/** For how long a run looks failed that is not. Less than what a watch waits before it believes it. */
const DOUBT_MS = 3_000;

async function* bytesOf(bytes: Uint8Array, isBroken: boolean): AsyncGenerator<Uint8Array> {
  const half = bytes.byteLength >> 1;
  yield bytes.subarray(0, half);
  if (isBroken) throw new GatewayError("SERVER_BROKE_OFF", "the simulated server broke off");
  yield bytes.subarray(half);
}

function answer(bytes: Uint8Array, isBroken = false): ServerAnswer {
  const disposition = isBroken ? "breaks-off" : undefined;
  return { status: 200, contentType: "text/plain", disposition, body: bytesOf(bytes, isBroken) };
}

/** A model server that works, refuses, breaks off, hangs, dies and forgets; it keeps its own account of all it did. */
export class SimServer {
  readonly plan: ServerPlan;
  readonly #context: ServerContext;
  readonly #active = new Map<number, Execution>();
  #runs = new Map<string, Run>();
  #generation = 1;
  #runCount = 0;
  isUp = false;

  constructor(plan: ServerPlan, context: ServerContext) {
    this.plan = plan;
    this.#context = context;
  }

  get instance(): string {
    return `${this.plan.id}#${this.#generation}`;
  }

  get isIdle(): boolean {
    for (const { background } of this.#active.values()) if (background) return false;
    return true;
  }

  describe(): ModelServer {
    const { id, models, limit, findsRuns } = this.plan;
    return {
      ...{ id, models, limit, url: `sim://${id}`, instance: this.instance },
      ...{ protocol: findsRuns ? "sim" : "blind", state: this.isUp ? "ready" : "unhealthy" },
    };
  }

  boot(): void {
    if (this.isUp) return;
    this.isUp = true;
    this.#context.recorder.add({ kind: "server", server: this.plan.id, instance: this.instance, isUp: true });
    this.#context.onChange(this.describe(), this.plan.id, this.plan.lagMs);
  }

  /** Stops at once and forgets all it did. `isTold` is false for one that discovery goes on to believe in. */
  die(isTold: boolean): void {
    if (!this.isUp) return;
    const { recorder, onChange, random } = this.#context;
    this.isUp = false;
    recorder.add({ kind: "server", server: this.plan.id, instance: this.instance, isUp: false });
    for (const [execution, { cancel, reply }] of [...this.#active]) {
      cancel();
      this.#active.delete(execution);
      recorder.add({ kind: "finished", execution, how: "killed" });
      reply?.({ kind: "broken", reason: "reset" });
    }
    this.#runs = new Map();
    if (isTold) onChange(random.chance(0.5) ? this.describe() : undefined, this.plan.id, this.plan.lagMs);
    this.#generation += 1;
  }

  receive(request: ServerRequest): void {
    const { random, weather } = this.#context;
    const { plan } = this;
    const roll = (rate: number): boolean => !weather.isCalm && random.chance(rate);
    if (!this.isUp) request.reply({ kind: "broken", reason: "reset" });
    else if (roll(plan.busyRate)) {
      this.#refuse(request, random.chance(0.5) ? random.between(10, 2_000) : undefined);
    } else if (roll(plan.rejectRate)) {
      request.reply({ kind: "rejected", answer: { ...answer(answerTo(request.payload)), status: 422 } });
    } else if (request.background) this.#train(request);
    else this.#work(request);
  }

  findRun(taskId: string | undefined): RunReport {
    const { instance } = this;
    const idle = this.isIdle;
    const run = taskId === undefined ? undefined : this.#runs.get(taskId);
    if (run === undefined) return { run: "none", idle, instance };
    const doubtedForMs = this.#context.time.nowMs - run.doubtedFromMs;
    if (run.state === "active" && doubtedForMs >= 0 && doubtedForMs < DOUBT_MS) {
      this.#context.recorder.fault("server.looks-failed");
      return { run: "failed", isProvisional: true, runId: run.runId, idle, instance };
    }
    const document = run.state === "succeeded" ? answer(run.document) : undefined;
    return { run: run.state, runId: run.runId, document, idle, instance };
  }

  /** Ends a run, unless this server only says so. */
  cancelRun(taskId: string): boolean {
    const run = this.#runs.get(taskId);
    if (run?.state !== "active") return false;
    if (this.#context.random.chance(0.3)) return true;
    this.#active.get(run.execution)?.cancel();
    this.#finishRun(run, "killed");
    return true;
  }

  /** The caller hung up. */
  hangUp(id: string): void {
    for (const [execution, { id: own, background, cancel }] of [...this.#active]) {
      if (own !== id || background || !this.#context.random.chance(0.3)) continue;
      cancel();
      this.#active.delete(execution);
      this.#context.recorder.add({ kind: "finished", execution, how: "killed" });
    }
  }

  #refuse(request: ServerRequest, retryAfterMs: number | undefined, blockingRunId?: string): void {
    this.#context.recorder.fault("server.busy");
    request.reply({ kind: "refused", reason: "busy", retryAfterMs, blockingRunId });
  }

  #begin(request: ServerRequest, durationMs: number, onDone: (execution: number) => void): number {
    const { time, recorder } = this.#context;
    const execution = this.#context.nextExecution();
    const { id, background, reply } = request;
    recorder.add({ kind: "begun", execution, id, server: this.plan.id, instance: this.instance, background });
    const cancel = time.after(durationMs, () => onDone(execution));
    this.#active.set(execution, { id, background, cancel, reply: background ? undefined : reply });
    return execution;
  }

  #work(request: ServerRequest): void {
    const { random, recorder, weather } = this.#context;
    const { plan } = this;
    const result = answerTo(request.payload);
    const breaks = !weather.isCalm && random.chance(plan.brokenRate);
    const how = breaks
      ? random.pick(["reset-before", "reset-after", "hangs", "bad-gateway", "breaks-body", "dies"])
      : "works";
    if (breaks) recorder.fault(`server.${how}`);
    if (how === "reset-before") {
      request.reply({ kind: "broken", reason: "reset" });
      return;
    }
    this.#begin(request, random.delay(plan.workMs), (execution) => {
      if (how === "dies") {
        this.die(true);
        this.#context.time.after(random.between(100, 5_000), () => this.boot());
        return;
      }
      this.#active.delete(execution);
      recorder.add({ kind: "finished", execution, how: "done" });
      if (how === "reset-after") request.reply({ kind: "broken", reason: "reset" });
      else if (how === "works" || how === "breaks-body")
        request.reply({ kind: "done", answer: answer(result, how === "breaks-body") });
    });
    if (how === "bad-gateway") request.reply({ kind: "broken", reason: "bad_gateway" });
  }

  #train(request: ServerRequest): void {
    const { random, recorder, weather, time } = this.#context;
    const { plan } = this;
    const blocking = [...this.#runs.values()].find((run) => run.state === "active");
    if (blocking !== undefined && !plan.acceptsSecond) {
      this.#refuse(request, undefined, blocking.runId);
      return;
    }
    this.#runCount += 1;
    const fails = !weather.isCalm && random.chance(0.15);
    const run: Run = {
      runId: `run-${plan.id}-${this.#runCount}`,
      execution: 0,
      state: "active",
      document: answerTo(request.payload),
      doubtedFromMs:
        weather.isCalm || !random.chance(0.3)
          ? Number.POSITIVE_INFINITY
          : time.nowMs + random.between(0, 10_000),
    };
    const outlives = !weather.isCalm && random.chance(0.05);
    const runMs = outlives ? random.between(16_000, 30_000) : plan.runMs * random.between(0.5, 1.5);
    run.execution = this.#begin(request, runMs, () => this.#finishRun(run, fails ? "failed" : "done"));
    this.#runs.set(request.id, run);
    if (!weather.isCalm && random.chance(plan.loses202)) {
      recorder.fault("server.202-lost");
      // Either the connection breaks, or nothing is ever heard.
      if (random.chance(0.5)) request.reply({ kind: "broken", reason: "reset" });
      return;
    }
    request.reply({ kind: "accepted", runId: run.runId, instance: this.instance });
  }

  #finishRun(run: Run, how: "done" | "failed" | "killed"): void {
    run.state = how === "done" ? "succeeded" : "failed";
    this.#active.delete(run.execution);
    this.#context.recorder.add({ kind: "finished", execution: run.execution, how });
  }
}
