import { setTimeout as sleep } from "node:timers/promises";
import { Refusal } from "../http/answer.ts";
import type { TrainedModel, TrainingLog } from "../training/training-log.ts";
import { Behaviours } from "./behaviours.ts";
import { inventedName } from "./invented-name.ts";
import { type Run, type RunIds, type RunStatus, SaveFailed } from "./run.ts";
import { RunBook } from "./run-book.ts";

/** What works on a training. One works on one at a time; an evaluation is work of the supervised one. */
export type TrainerName = "supervised" | "unsupervised" | "metacat";

export interface RunRequest {
  trackingId: string;
  trainer: TrainerName;
  experiment: string;
  /** An evaluation makes no model. Default `train`. */
  mode?: "train" | "eval";
  /** What was asked for. */
  params?: Readonly<Record<string, string>>;
  /** What is known before the work begins. */
  tags: Readonly<Record<string, string>>;
  /** What the work begins by writing down. */
  results?: Readonly<Record<string, string>>;
  work(log: TrainingLog, signal: AbortSignal): Promise<TrainedModel | undefined>;
}

/** What the server itself knows of its trainings, whatever is written down elsewhere. */
export type TrainingEvent =
  | { event: "begun"; trackingId: string; runId: string; trainer: TrainerName; mode: "train" | "eval" }
  | { event: "ended"; trackingId: string; runId: string; status: RunStatus };

export interface RunsOptions {
  /** No run takes less, so that there is time to watch or cancel one. Default 0. */
  leastMs?: number;
  book?: RunBook;
  behaviours?: Behaviours;
  /** The type of a model that is saved. */
  modelType?: string;
  onEvent?: (event: TrainingEvent) => void;
}

export type Began = { accepted: boolean; ids: RunIds };

/** A training at work. */
interface Training {
  request: RunRequest;
  /** Settled when the run has ids. */
  opened: Promise<Run>;
  /** The run that the caller was told. */
  first: Run | undefined;
  /** The run that gets the results: the first one, unless the server misbehaves. */
  result: Run | undefined;
  stop: AbortController;
  isDeaf: boolean;
  hasEnded: boolean;
}

/**
 * Trainings and evaluations: work that goes on after its request was answered. One at a time; the next is refused and
 * told which.
 */
export class Runs {
  readonly #options: Required<RunsOptions>;
  readonly #active = new Map<TrainerName, Training>();
  /** Runs that nobody will end: their results went elsewhere. */
  #orphans: Run[] = [];
  /** Where MLflow puts a run that a thread begins by itself: in the experiment that was chosen last. */
  #lastExperiment: string | undefined;
  #stopped = false;

  constructor(options: RunsOptions = {}) {
    this.#options = {
      leastMs: 0,
      book: new RunBook(undefined),
      behaviours: new Behaviours(),
      modelType: "nlp",
      onEvent: () => {},
      ...options,
    };
  }

  get book(): RunBook {
    return this.#options.book;
  }

  async begin(request: RunRequest): Promise<Began> {
    const rival = this.#rivalOf(request.trainer);
    if (rival) {
      const blocking = await rival.opened.catch(() => undefined);
      if (blocking) return { accepted: false, ids: blocking.ids };
      return this.begin(request);
    }
    const isDeaf = request.trainer === "supervised" && this.#takes("deaf-cancel");
    const training: Training = {
      request,
      // Taken synchronously, so that no other request comes in between.
      opened: Promise.resolve().then(() => this.#open(training)),
      first: undefined,
      result: undefined,
      stop: new AbortController(),
      isDeaf,
      hasEnded: false,
    };
    this.#active.set(request.trainer, training);
    try {
      const run = await training.opened;
      const { trackingId, trainer, mode = "train" } = request;
      this.#options.onEvent({ event: "begun", trackingId, runId: run.start.id, trainer, mode });
      void this.#run(training, run);
      return { accepted: true, ids: run.ids };
    } catch (error) {
      this.#active.delete(request.trainer);
      throw error;
    }
  }

  /** Stops what runs; tells whether there was anything. Like CMS it takes no id. */
  cancel(): boolean {
    for (const { stop, isDeaf } of this.#active.values()) if (!isDeaf) stop.abort();
    return this.#active.size > 0;
  }

  /** Stops everything as a clean shutdown does: what runs is KILLED, and so is what nobody would end. */
  async stop(limitMs: number): Promise<void> {
    this.#stopped = true;
    for (const training of this.#active.values()) {
      training.stop.abort();
      this.#end(training, "KILLED");
    }
    for (const run of this.#orphans) run.end("KILLED");
    await Promise.race([this.book.written(), sleep(limitMs, undefined, { ref: false })]);
    this.book.abandon();
  }

  /** Lets go of everything as a process does that dies: nothing more is written down. */
  abandon(): void {
    this.#stopped = true;
    this.book.abandon();
    for (const training of this.#active.values()) {
      training.hasEnded = true;
      training.stop.abort();
    }
  }

  #takes(name: Parameters<Behaviours["take"]>[0]): boolean {
    return this.#options.behaviours.take(name) !== undefined;
  }

  #rivalOf(trainer: TrainerName): Training | undefined {
    const same = this.#active.get(trainer);
    if (same || this.#active.size === 0) return same;
    const { behaviours } = this.#options;
    const on = behaviours.list().map(({ name }) => name);
    const isParallel = on.some((name) => name === "parallel" || name === "failed-while-working");
    return isParallel ? undefined : [...this.#active.values()][0];
  }

  async #open(training: Training): Promise<Run> {
    const { trackingId, experiment, tags, params = {} } = training.request;
    for (const orphan of this.#orphans) orphan.end("FAILED");
    this.#orphans = [];
    if (this.#active.size > 1 && this.#takes("failed-while-working")) await this.#bereave(training);
    const first = await this.book.open({ name: trackingId, experiment, tags, params });
    training.first = first;
    training.result = first;
    if (this.#takes("orphan-run")) {
      training.result = await this.#openUnnamed();
      this.#orphans.push(first);
    }
    this.#lastExperiment = experiment;
    return first;
  }

  /** The runs of what is at work are marked FAILED, although the work goes on: its results go to unnamed runs. */
  async #bereave(newcomer: Training): Promise<void> {
    for (const training of this.#active.values()) {
      const { result } = training;
      if (training === newcomer || !result) continue;
      training.result = await this.#openUnnamed();
      result.end("FAILED");
    }
  }

  #openUnnamed(): Promise<Run> {
    const experiment = this.#lastExperiment ?? { id: "0" };
    return this.book.open({ name: inventedName(), experiment, tags: {}, params: {} });
  }

  async #run(training: Training, first: Run): Promise<void> {
    const { request, stop } = training;
    const { trainer, mode = "train", results = {} } = request;
    const result = (): Run => training.result ?? first;
    const startedAt = performance.now();
    const log: TrainingLog = {
      tag: (name, value) => result().tag(name, value),
      param: (name, value) => result().param(name, value),
      // CMS sends these to the run of the 202 by its id, and all others to whichever run is the active one.
      metric: (name, value, step) =>
        (name.startsWith("per_concept_") ? first : result()).metric(name, value, step),
      pace: async (done) => {
        const ms = startedAt + this.#options.leastMs * done - performance.now();
        if (ms > 0) await sleep(ms, undefined, { signal: stop.signal });
      },
    };
    let status: RunStatus;
    try {
      log.tag("training.trainer.mode", mode);
      log.tag("training.trainer.version", "1");
      log.tag("training.trainer.backend", "modelgate-example");
      for (const [name, value] of Object.entries(results)) log.tag(name, value);
      const model = await request.work(log, stop.signal);
      await log.pace(1);
      stop.signal.throwIfAborted();
      if (model) await this.#save(model, result());
      status = "FINISHED";
    } catch (error) {
      status = isAbort(error) ? "KILLED" : "FAILED";
      if (status === "FAILED") log.tag("exception", sentenceOf(error));
    }
    this.#end(training, status);
    const busy = this.#options.behaviours.take("busy-after-end");
    if (busy && !this.#stopped) await sleep(busy.ms, undefined, { ref: false });
    this.#active.delete(trainer);
  }

  /** Only the first end counts: a training that is stopped may still come to another. */
  #end(training: Training, status: RunStatus): void {
    const { first, result, request } = training;
    if (!first || training.hasEnded) return;
    training.hasEnded = true;
    const { trackingId } = request;
    this.#options.onEvent({ event: "ended", trackingId, runId: first.start.id, status });
    result?.end(status);
  }

  async #save(model: TrainedModel, run: Run): Promise<void> {
    if (this.#takes("no-save")) throw new SaveFailed("no space left on device");
    run.tag("training.output.package", "model.json");
    await run.sink?.saveModel(model.file());
    run.tag("training.output.model_uri", `${run.start.artifactUri}/model`);
    run.tag("training.output.model_type", this.#options.modelType);
    model.serve();
  }
}

function isAbort(error: unknown): boolean {
  return error instanceof Error && error.name === "AbortError";
}

/** What a refusal says is made for callers; any other error may quote a note, so only its name is told. */
function sentenceOf(error: unknown): string {
  if (error instanceof Refusal && typeof error.answer.body === "string") {
    return (JSON.parse(error.answer.body) as { message?: string }).message ?? "The export is not valid.";
  }
  if (error instanceof SaveFailed) return error.message;
  return error instanceof Error ? error.name : typeof error;
}
