import { sleep } from "../clock.ts";
import type { ByteStream, OperationOptions } from "../contracts/common.ts";
import type { IdempotencyRef, LedgerStats, NewTask, SubmitOutcome } from "../contracts/ledger.ts";
import type { OperationSpec } from "../contracts/server-protocol.ts";
import type { BodyRef } from "../contracts/task.ts";
import { GatewayError } from "../errors.ts";
import type { SubmitRequest, SubmitResult } from "../gateway-api.ts";
import type { ServerDirectory } from "../routing/server-directory.ts";
import { DEFAULT_PRIORITY, MAX_PRIORITY } from "../scheduler/rank.ts";
import { discardBody, type StoredBody, storeBody } from "../tasks/body.ts";
import { inTime, withinTime } from "../tasks/time-limit.ts";
import { isTaskId } from "../tasks/validate-task.ts";
import type { ResolvedOptions } from "./options.ts";
import { OpenKeys, RequestDigest, requireKey } from "./request-digest.ts";

/** Tries at the ledger when it does not answer; the task's id makes them one. */
const SUBMIT_TRIES = 3;
const SUBMIT_TIMEOUT_MS = 10_000;
/** Between two tries, before chance adds to it. */
const LONGEST_RETRY_MS = 500;
/** For how long a count of what waits is believed. */
const STATS_AGE_MS = 1_000;
const FULL_RETRY_AFTER_MS = 5_000;

const encoder = new TextEncoder();

/** A request, and the ended task that it repeats, if it does. */
export interface IntakeRequest extends SubmitRequest {
  readonly retryOf?: string | undefined;
}

/** Takes requests in: checks them, stores large payloads, then enters the tasks into the ledger, in that order. */
export class Intake {
  readonly #options: ResolvedOptions;
  readonly #directory: ServerDirectory;
  readonly #onEntering: () => void;
  readonly #isExpected: (model: string) => Promise<boolean>;
  #stats: { readonly atMs: number; tasks: number; bytes: number } | undefined;
  #counting: Promise<void> | undefined;
  readonly #openKeys = new OpenKeys();

  /**
   * `onEntering` is called once tasks are on their way into the ledger, before they are accepted. `isExpected` says
   * whether a model that no server is known for may get one.
   */
  constructor(
    options: ResolvedOptions,
    directory: ServerDirectory,
    onEntering: () => void,
    isExpected: (model: string) => Promise<boolean>,
  ) {
    this.#options = options;
    this.#isExpected = isExpected;
    this.#onEntering = onEntering;
    this.#directory = directory;
  }

  /** Rejects only for what concerns the whole batch: an abort, a store that is away, the only request's own stream. */
  async submit(requests: readonly IntakeRequest[], { signal }: OperationOptions): Promise<SubmitResult[]> {
    signal?.throwIfAborted();
    await this.#count();
    const prepared = await this.#prepareAll(requests, signal);
    const tasks = prepared.filter((item): item is NewTask => !GatewayError.is(item));
    const outcomes = tasks.length === 0 ? [] : await this.#enter(tasks, signal);
    let at = 0;
    return prepared.map((item): SubmitResult => {
      if (GatewayError.is(item)) return { ok: false, error: item };
      const outcome = outcomes[at++];
      if (outcome?.outcome !== "accepted" || outcome.task.payload.key !== item.payload.key)
        this.#forget(item.payload);
      if (outcome === undefined) return { ok: false, error: noOutcome() };
      if (outcome.outcome === "refused") return { ok: false, error: outcome.error };
      return { ok: true, task: outcome.task, isRepeat: outcome.outcome === "duplicate" };
    });
  }

  async #prepareAll(
    requests: readonly IntakeRequest[],
    signal: AbortSignal | undefined,
  ): Promise<(NewTask | GatewayError)[]> {
    const [only] = requests;
    if (requests.length === 1 && only !== undefined) return [await this.#prepare(only, signal)];
    const prepared = await Promise.allSettled(requests.map((request) => this.#prepare(request, signal)));
    if (signal?.aborted === true) {
      for (const { status, ...item } of prepared) {
        if (status === "fulfilled" && "value" in item && !GatewayError.is(item.value))
          this.#forget(item.value.payload);
      }
      throw signal.reason;
    }
    return prepared.map((item) => (item.status === "fulfilled" ? item.value : unreadable(item.reason)));
  }

  async #prepare(request: IntakeRequest, signal: AbortSignal | undefined): Promise<NewTask | GatewayError> {
    const { boostMs, waitMs, maxFailures, newId } = this.#options;
    try {
      const spec = this.#specOf(request, await this.#knows(request.model));
      const priority = request.priority ?? DEFAULT_PRIORITY;
      if (!Number.isInteger(priority) || priority < 0 || priority > MAX_PRIORITY) {
        throw refusal(
          "priority",
          `priority must be an integer from 0 to ${MAX_PRIORITY}; it is ${String(priority)}`,
        );
      }
      this.#checkRoom();
      const id = request.id ?? newId();
      const { payload, idempotency } = await this.#receive(request, id, signal);
      return {
        id,
        model: request.model,
        operation: request.operation,
        owner: request.owner ?? "",
        query: request.query ?? "",
        source: request.source,
        retryOf: request.retryOf,
        repeatable: spec.repeatable,
        background: spec.background,
        maxFailures,
        priority,
        boostMs,
        waitMs: request.waitMs ?? waitMs,
        payload: { ...payload, contentType: request.contentType ?? spec.contentType },
        idempotency,
      };
    } catch (error) {
      // A stream that was handed in is let go of, also when nobody came to read it.
      const { payload } = request;
      if (typeof payload === "object") discardBody(payload);
      if (GatewayError.is(error)) return error;
      throw error;
    }
  }

  async #receive(
    request: SubmitRequest,
    id: string,
    signal: AbortSignal | undefined,
  ): Promise<{ readonly payload: StoredBody; readonly idempotency?: IdempotencyRef | undefined }> {
    const { payload = "", idempotencyKey: key } = request;
    const body = typeof payload === "string" ? encoder.encode(payload) : payload;
    if (key === undefined) return { payload: await this.#keep(body, id, signal) };
    requireKey(key);
    const digest = new RequestDigest(request);
    const keepMs = this.#options.idempotencyMs;
    if (body instanceof Uint8Array) {
      digest.add(body);
      return {
        payload: await this.#keep(body, id, signal),
        idempotency: { key, digest: `${digest}`, keepMs },
      };
    }
    const received = this.#openKeys.open(request);
    try {
      const kept = await this.#keep(digest.through(body), id, signal);
      return { payload: kept, idempotency: { key, digest: `${digest}`, keepMs } };
    } finally {
      received();
    }
  }

  /** No turn of the event loop is spent on a model that is known. */
  #knows(model: unknown): boolean | Promise<boolean> {
    if (typeof model !== "string" || model === "") return false;
    return this.#directory.knows(model) || this.#isExpected(model);
  }

  /** What the operation is, by the protocols of the model's servers, or of any when none is listed now. */
  #specOf({ model, operation }: SubmitRequest, isKnown: boolean): OperationSpec {
    if (typeof model !== "string" || model === "")
      throw refusal("model", "model must be the name of a model");
    if (typeof operation !== "string" || operation === "")
      throw refusal("operation", "operation must be named");
    if (!isKnown)
      throw new GatewayError("MODEL_UNKNOWN", `no server is known for model "${model}"`, {
        details: { model },
      });
    const names = this.#directory.protocolsOf(model);
    for (const protocol of this.#options.protocols) {
      if (names.size > 0 && !names.has(protocol.name)) continue;
      const spec = protocol.operations.get(operation);
      if (spec !== undefined) return spec;
    }
    throw new GatewayError("OPERATION_UNKNOWN", `model "${model}" has no operation "${operation}"`, {
      details: { operation },
    });
  }

  async #keep(
    body: Uint8Array | ByteStream,
    id: string,
    signal: AbortSignal | undefined,
  ): Promise<StoredBody> {
    const { objects, inlineBytes, maxPayloadBytes, checkpoint, newId } = this.#options;
    const tooLarge = (): GatewayError => {
      const message = `the payload is larger than ${maxPayloadBytes} bytes`;
      return new GatewayError("PAYLOAD_TOO_LARGE", message, {
        details: { field: "payload", maxBytes: maxPayloadBytes },
      });
    };
    if (body instanceof Uint8Array) {
      if (body.byteLength > maxPayloadBytes) throw tooLarge();
      if (body.byteLength <= inlineBytes) return { sizeBytes: body.byteLength, inline: body };
    }
    const stream = body instanceof Uint8Array ? whole(body) : body;
    // A key of its own for each try: an id that turns out to be taken must not lose its payload to this one.
    // The ledger refuses a task with any other id; until then it must not become part of a path.
    const key = `payloads/${isTaskId(id) ? id : "refused"}/${newId()}`;
    const limits = { tooLarge: { maxBytes: maxPayloadBytes, error: tooLarge }, operation: { signal } };
    return await checkpoint("gateway.payload", storeBody(stream, { objects, key, inlineBytes, ...limits }));
  }

  async #enter(
    tasks: readonly NewTask[],
    signal: AbortSignal | undefined,
  ): Promise<readonly SubmitOutcome[]> {
    const { ledger, clock, checkpoint, random, storeWaitMs } = this.#options;
    const untilMs = clock.monotonic() + storeWaitMs;
    for (let tries = 1; ; tries += 1) {
      try {
        signal?.throwIfAborted();
        const entering = inTime(clock, SUBMIT_TIMEOUT_MS, ledger.submit(tasks));
        this.#onEntering();
        return await checkpoint("gateway.submit", entering);
      } catch (error) {
        const isLast = tries >= SUBMIT_TRIES && clock.monotonic() >= untilMs;
        if (isLast || !GatewayError.is(error, "STORE_UNAVAILABLE")) throw error;
        await sleep(clock, Math.min(50 * tries, LONGEST_RETRY_MS) * (1 + random()), signal);
      }
    }
  }

  #forget(payload: BodyRef): void {
    if (payload.key !== undefined) void this.#options.objects.delete([payload.key]).catch(() => {});
  }

  #checkRoom(): void {
    const { maxWaiting } = this.#options;
    const stats = this.#stats;
    if (stats === undefined) return;
    if (stats.tasks < maxWaiting.tasks && stats.bytes < maxWaiting.bytes) {
      stats.tasks += 1;
      return;
    }
    const what =
      stats.tasks >= maxWaiting.tasks ? `${maxWaiting.tasks} tasks` : `${maxWaiting.bytes} bytes of payloads`;
    throw new GatewayError("QUEUE_FULL", `${what} wait already; try again later or raise maxWaiting`, {
      details: { retryAfterMs: FULL_RETRY_AFTER_MS },
    });
  }

  /** Keeps a recent count of what waits; a bound may overshoot by what comes in between. */
  async #count(): Promise<void> {
    const { ledger, clock } = this.#options;
    if (this.#stats !== undefined && clock.monotonic() - this.#stats.atMs < STATS_AGE_MS) return;
    this.#counting ??= withinTime(clock, SUBMIT_TIMEOUT_MS, (signal) => ledger.stats({ signal }))
      .then((stats) => {
        this.#stats = { atMs: clock.monotonic(), ...sum(stats) };
      })
      .catch(() => {})
      .finally(() => {
        this.#counting = undefined;
      });
    if (this.#stats === undefined) await this.#counting;
  }
}

function sum(stats: LedgerStats): { tasks: number; bytes: number } {
  let tasks = 0;
  let bytes = 0;
  for (const lane of stats.lanes) {
    tasks += lane.waiting;
    bytes += lane.waitingBytes;
  }
  return { tasks, bytes };
}

function noOutcome(): GatewayError {
  return new GatewayError("ADAPTER_FAILED", "the ledger gave no outcome for the task");
}

function unreadable(cause: unknown): GatewayError {
  return new GatewayError("INVALID_REQUEST", "the payload could not be read to its end", {
    cause,
    details: { field: "payload" },
  });
}

function refusal(field: string, message: string): GatewayError {
  return new GatewayError("INVALID_REQUEST", message, { details: { field } });
}

async function* whole(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}
