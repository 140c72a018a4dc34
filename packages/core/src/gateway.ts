import type { ByteStream, OperationOptions } from "./contracts/common.ts";
import type { EndedTask, ListRequest } from "./contracts/ledger.ts";
import type { ByteRange } from "./contracts/object-store.ts";
import type { ServerAnswer, ServerProtocol } from "./contracts/server-protocol.ts";
import type { ResultRef, TaskRecord } from "./contracts/task.ts";
import { GatewayError } from "./errors.ts";
import { SafeEmitter } from "./gateway/emitter.ts";
import { EndingWatch, unknownTask } from "./gateway/ending-watch.ts";
import { Intake } from "./gateway/intake.ts";
import { type ResolvedOptions, resolveOptions } from "./gateway/options.ts";
import { GatewayWork } from "./gateway/work.ts";
import type {
  Gateway,
  GatewayOptions,
  Health,
  ModelStatus,
  OperationInfo,
  PassRequest,
  StopOptions,
  SubmitRequest,
  SubmitResult,
  TaskResult,
  WaitOptions,
} from "./gateway-api.ts";
import { streamOf } from "./tasks/body.ts";
import { isTerminal } from "./tasks/task-state.ts";
import { withinTime } from "./tasks/time-limit.ts";

const HEALTH_TIMEOUT_MS = 2_000;

/** Makes a gateway. Nothing runs before `start`. Rejects bad options with `INVALID_OPTIONS`, naming the field. */
export function createGateway(options: GatewayOptions): Gateway {
  return new StandardGateway(resolveOptions(options));
}

class StandardGateway implements Gateway {
  readonly #options: ResolvedOptions;
  readonly #emitter = new SafeEmitter();
  readonly #endings: EndingWatch;
  readonly #work: GatewayWork;
  readonly #intake: Intake;
  readonly #operations: ReadonlyMap<string, OperationInfo>;

  constructor(options: ResolvedOptions) {
    this.#options = options;
    this.#operations = operationsOf(options.protocols);
    const { ledger, clock, pollMs } = options;
    this.#endings = new EndingWatch({
      ledger,
      clock,
      pollMs,
      onError: (error) => this.#emitter.failed("ledger", "get", error),
    });
    this.#work = new GatewayWork(options, this.#emitter, this.#endings);
    // A ledger that keeps the order of calls lets an exchange made now see the tasks, and often share their commit.
    const onEntering = options.ledger.capabilities.inOrder ? () => this.#work.poke() : () => {};
    const isExpected = async (model: string): Promise<boolean> =>
      (await this.#work.deployments?.knows(model)) === true;
    this.#intake = new Intake(options, this.#work.directory, onEntering, isExpected);
  }

  get events(): Gateway["events"] {
    return this.#emitter.events;
  }

  get deployments(): Gateway["deployments"] {
    return this.#work.deployments?.api;
  }

  async start(): Promise<void> {
    await this.#work.start();
  }

  async stop({ drainMs = 10_000 }: StopOptions = {}): Promise<void> {
    await this.#work.stop(drainMs);
  }

  submit(request: SubmitRequest, options?: OperationOptions): Promise<TaskRecord>;
  submit(requests: readonly SubmitRequest[], options?: OperationOptions): Promise<readonly SubmitResult[]>;
  async submit(
    requests: SubmitRequest | readonly SubmitRequest[],
    options: OperationOptions = {},
  ): Promise<TaskRecord | readonly SubmitResult[]> {
    if (this.#work.isStopping)
      throw new GatewayError("STOPPING", "the gateway is stopping and takes nothing new");
    if (isList(requests)) return this.#accepted(await this.#intake.submit(requests, options));
    return this.#acceptedOne(await this.#intake.submit([requests], options));
  }

  #accepted(results: readonly SubmitResult[]): readonly SubmitResult[] {
    const models = new Set<string>();
    for (const result of results) {
      if (!result.ok || result.isRepeat) continue;
      const { id, model, operation, priority } = result.task;
      models.add(model);
      this.#work.deployments?.wanted(model);
      this.#endings.accepted(id);
      this.#emitter.emit("task:submitted", { id, model, operation, priority });
    }
    if (models.size === 0) return results;
    if (!this.#options.ledger.capabilities.inOrder) this.#work.poke();
    this.#work.announce(models);
    return results;
  }

  #acceptedOne(results: readonly SubmitResult[]): TaskRecord {
    const [result] = this.#accepted(results);
    if (result?.ok !== true)
      throw result?.error ?? new GatewayError("ADAPTER_FAILED", "the ledger gave no outcome for the task");
    return result.task;
  }

  async get(id: string, options: OperationOptions = {}): Promise<TaskRecord> {
    const [task] = await this.#options.ledger.get([id], options);
    if (task === undefined) throw unknownTask(id);
    return task;
  }

  list(request: ListRequest = {}, options: OperationOptions = {}): ReturnType<Gateway["list"]> {
    return this.#options.ledger.list(request, options);
  }

  async result(
    id: string,
    options: OperationOptions & { readonly range?: ByteRange | undefined } = {},
  ): Promise<TaskResult> {
    const task =
      this.#endings.recent(id) ?? (await this.#options.ledger.get([id], { ...options, bodies: "result" }))[0];
    if (task === undefined) throw unknownTask(id);
    if (!hasEnded(task))
      throw new GatewayError("TASK_NOT_ENDED", `task "${id}" has not ended; it is ${task.state}`, {
        details: { id },
      });
    const { result } = task;
    if (result === undefined)
      throw new GatewayError("NO_RESULT", `task "${id}" ended without a result`, { details: { id } });
    const { contentType, disposition, status, sizeBytes } = result;
    return {
      task,
      contentType,
      disposition,
      status,
      sizeBytes,
      ...(await this.#bodyOf(id, result, options)),
    };
  }

  async #bodyOf(
    id: string,
    result: ResultRef,
    options: OperationOptions & { readonly range?: ByteRange | undefined },
  ): Promise<{ readonly body: ByteStream; readonly bytes?: Uint8Array | undefined }> {
    const expired = (): GatewayError =>
      new GatewayError("RESULT_EXPIRED", `the result of task "${id}" was forgotten on time`, {
        details: { id },
      });
    if (result.isForgotten) throw expired();
    const { range } = options;
    if (result.inline !== undefined) {
      const bytes = range === undefined ? result.inline : slice(result.inline, range);
      return { bytes, body: streamOf(bytes) };
    }
    const read = result.key === undefined ? undefined : await this.#options.objects.get(result.key, options);
    if (read === undefined) throw expired();
    return { body: read.body };
  }

  wait(id: string, options: WaitOptions = {}): Promise<TaskRecord> {
    return this.#endings.wait(id, options);
  }

  async cancel(id: string, options: OperationOptions = {}): Promise<TaskRecord> {
    const [outcome] = await this.#options.ledger.amend([{ kind: "cancel", id }], options);
    if (outcome?.task === undefined) throw unknownTask(id);
    if (outcome.outcome === "requested") this.#work.cancel(id);
    else if (outcome.outcome === "done") this.#work.ended([outcome.task]);
    return outcome.task;
  }

  async retry(
    id: string,
    options: OperationOptions & { readonly priority?: number | undefined } = {},
  ): Promise<TaskRecord> {
    const { signal } = options;
    const [task] = await this.#options.ledger.get([id], { signal, bodies: "payload" });
    if (task === undefined) throw unknownTask(id);
    if (!isTerminal(task.state)) {
      throw new GatewayError("TASK_NOT_ENDED", `task "${id}" has not ended; it is ${task.state}`, {
        details: { id },
      });
    }
    const { inline, key, contentType } = task.payload;
    const payload =
      inline ?? (key === undefined ? undefined : (await this.#options.objects.get(key, { signal }))?.body);
    if (payload === undefined)
      throw new GatewayError("PAYLOAD_LOST", `the payload of task "${id}" is not kept any more`, {
        details: { id },
      });
    const { model, operation, owner, query, source } = task;
    const request = {
      model,
      operation,
      owner,
      query,
      source,
      payload,
      contentType,
      priority: options.priority ?? task.priority,
    };
    return this.#acceptedOne(await this.#intake.submit([{ ...request, retryOf: id }], { signal }));
  }

  async reprioritise(id: string, priority: number, options: OperationOptions = {}): Promise<TaskRecord> {
    if (!Number.isInteger(priority) || priority < 0 || priority > 10) {
      throw new GatewayError(
        "INVALID_REQUEST",
        `priority must be an integer from 0 to 10; it is ${priority}`,
        {
          details: { field: "priority" },
        },
      );
    }
    const { boostMs, ledger } = this.#options;
    const [outcome] = await ledger.amend([{ kind: "reprioritise", id, priority, boostMs }], options);
    if (outcome?.task === undefined) throw unknownTask(id);
    this.#work.poke();
    this.#work.announce([outcome.task.model]);
    return outcome.task;
  }

  models(): readonly ModelStatus[] {
    return this.#work.models();
  }

  async info(model: string, options: OperationOptions = {}): Promise<ServerAnswer> {
    const { directory, deployments } = this.#work;
    if (!directory.knows(model) && deployments?.expects(model) !== true)
      throw new GatewayError("MODEL_UNKNOWN", `no server is known for model "${model}"`, {
        details: { model },
      });
    const server = directory.readyFor(model)?.server;
    const protocol = this.#options.protocols.find(({ name }) => name === server?.protocol);
    if (server === undefined || protocol === undefined) {
      throw new GatewayError("SERVER_BUSY", `no server of model "${model}" is ready`, { details: { model } });
    }
    const ask = (): Promise<ServerAnswer | undefined> => protocol.info(server, options);
    const answer = await (deployments === undefined ? ask() : deployments.direct(server, ask));
    if (answer === undefined)
      throw new GatewayError("SERVER_UNREACHABLE", `the server of model "${model}" did not answer`, {
        details: { model },
      });
    return answer;
  }

  pass(request: PassRequest, options: OperationOptions = {}): ReturnType<Gateway["pass"]> {
    return this.#work.direct.pass(request, options);
  }

  upgrade(request: PassRequest, options: OperationOptions = {}): ReturnType<Gateway["upgrade"]> {
    return this.#work.direct.upgrade(request, options);
  }

  operations(): ReadonlyMap<string, OperationInfo> {
    return this.#operations;
  }

  async health(options: OperationOptions = {}): Promise<Health> {
    const { clock, ledger, objects } = this.#options;
    options.signal?.throwIfAborted();
    const answers = (call: (signal: AbortSignal) => Promise<unknown>): Promise<"healthy" | "unhealthy"> =>
      withinTime(clock, HEALTH_TIMEOUT_MS, call).then(
        () => "healthy" as const,
        () => "unhealthy" as const,
      );
    const [ledgerHealth, objectsHealth] = await Promise.all([
      answers((signal) => ledger.stats({ signal })),
      answers((signal) => objects.stat("health/check", { signal })),
    ]);
    const components = {
      ledger: ledgerHealth,
      objects: objectsHealth,
      discovery: this.#work.isStarted ? "healthy" : "unhealthy",
    } as const;
    return { isHealthy: Object.values(components).every((component) => component === "healthy"), components };
  }
}

function isList(requests: SubmitRequest | readonly SubmitRequest[]): requests is readonly SubmitRequest[] {
  return Array.isArray(requests);
}

/** The first protocol that names an operation says what it is. */
function operationsOf(protocols: readonly ServerProtocol[]): ReadonlyMap<string, OperationInfo> {
  const named = new Map<string, OperationInfo>();
  for (const { operations } of protocols) {
    for (const [name, spec] of operations) if (!named.has(name)) named.set(name, { name, ...spec });
  }
  return named;
}

function hasEnded(task: TaskRecord): task is EndedTask {
  return isTerminal(task.state);
}

function slice(bytes: Uint8Array, range: ByteRange): Uint8Array {
  if (range.start > 0 && range.start >= bytes.byteLength) {
    throw new GatewayError(
      "INVALID_REQUEST",
      `the range begins beyond the ${bytes.byteLength} bytes of the result`,
      { details: { field: "range" } },
    );
  }
  return bytes.subarray(range.start, range.end === undefined ? undefined : range.end + 1);
}
