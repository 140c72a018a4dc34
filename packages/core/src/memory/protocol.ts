import { randomUUID } from "node:crypto";
import { setMaxListeners } from "node:events";
import { systemClock } from "../clock.ts";
import type { Clock } from "../contracts/clock.ts";
import type { ByteStream, OperationOptions } from "../contracts/common.ts";
import type { ModelServer } from "../contracts/discovery.ts";
import type { JsonValue } from "../contracts/record-store.ts";
import type {
  CallOutcome,
  OperationSpec,
  ServerAnswer,
  ServerCall,
  ServerProtocol,
} from "../contracts/server-protocol.ts";
import { GatewayError } from "../errors.ts";
import { openness } from "../openness.ts";
import { streamOf } from "../tasks/body.ts";
import { collectBytes } from "./collect-bytes.ts";
import { MemoryRuns } from "./memory-runs.ts";

/** What a function answers: text, bytes, something to be written as JSON, or an outcome in the protocols' words. */
export type MemoryAnswer = string | Uint8Array | { readonly json: JsonValue } | CallOutcome;

/** A task as the function sees it. */
export interface MemoryCall extends Omit<ServerCall, "onSend" | "timeoutMs"> {
  /** The payload as a whole. It and `payload` lead to the same bytes; use one of them, once. */
  bytes(): Promise<Uint8Array>;
  /** The payload as UTF-8 text. */
  text(): Promise<string>;
}

/** Does the work. What it throws ends the task as failed, with the error's message kept like a result. */
export type MemoryHandler = (
  call: MemoryCall,
  options: { readonly signal: AbortSignal },
) => MemoryAnswer | Promise<MemoryAnswer>;

export interface MemoryProtocolOptions {
  /** What does the work. */
  readonly handle: MemoryHandler;
  /** By name. Left out: not repeatable, not in the background, one minute. */
  readonly operations: Readonly<Record<string, Partial<OperationSpec>>>;
  /** As servers name it. Default `memory`. */
  readonly name?: string | undefined;
  /** Default: the host's time. */
  readonly clock?: Clock | undefined;
  /** Which incarnation of the functions this is. Default: random. */
  readonly instance?: string | undefined;
  /** Whether a server is ready. Default: always. */
  readonly isReady?: ((server: ModelServer) => boolean) | undefined;
}

const DEFAULT_SPEC: OperationSpec = { repeatable: false, background: false, timeoutMs: 60_000 };

/**
 * Servers that are functions of this process: queued and prioritised work for whatever can be called. A background
 * operation is accepted at once and runs on; each server does one at a time, and a run ends with the process.
 */
export function memoryProtocol(options: MemoryProtocolOptions): ServerProtocol {
  const {
    handle,
    name = "memory",
    clock = systemClock,
    instance = randomUUID(),
    isReady = () => true,
  } = options;
  const operations = new Map<string, OperationSpec>();
  for (const [operation, spec] of Object.entries(options.operations)) {
    operations.set(operation, { ...DEFAULT_SPEC, ...spec });
  }
  const runs = new MemoryRuns();
  const closing = new AbortController();
  // Every call under way listens, and there may be many.
  setMaxListeners(0, closing.signal);
  const guard = openness(`${name} protocol`, () => {
    closing.abort(new GatewayError("CLOSED", `the ${name} protocol was closed`));
    runs.cancelAll(closing.signal.reason);
  });

  /** Runs the function and puts what it gives or throws in the protocols' words. */
  async function perform(call: ServerCall, signal: AbortSignal): Promise<CallOutcome> {
    const payload = new WatchedPayload(call.payload);
    const bytes = (): Promise<Uint8Array> => collectBytes(payload, { signal });
    const { onSend: _, timeoutMs: __, ...rest } = call;
    const text = async (): Promise<string> => new TextDecoder().decode(await bytes());
    try {
      return outcomeOf(await handle({ ...rest, payload, bytes, text }, { signal }));
    } catch (error) {
      // It is not the server's doing that the payload could not be read, nor that nobody waits any more.
      if (payload.failure !== undefined) throw payload.failure.error;
      signal.throwIfAborted();
      return {
        kind: "rejected",
        answer: textAnswer(error instanceof Error ? error.message : "the function failed"),
      };
    }
  }

  async function begin(call: ServerCall, signal: AbortSignal | undefined): Promise<CallOutcome> {
    // The caller's stream ends with this call, and the run does not.
    const payload =
      call.payload instanceof Uint8Array ? call.payload : await collectBytes(call.payload, { signal });
    const blockingRunId = runs.activeOn(call.server.id);
    if (blockingRunId !== undefined) return { kind: "refused", reason: "busy", blockingRunId };
    call.onSend();
    const runId = runs.begin(call.server.id, call.taskId, (running) =>
      perform({ ...call, payload }, running),
    );
    return { kind: "accepted", runId, instance };
  }

  return {
    name,
    operations,
    capabilities: { findsRuns: true, cancelsRuns: true, passes: false, upgrades: false },
    probe: guard.wrap(async (server) => {
      return isReady(server)
        ? { ready: true, instance }
        : { ready: false, instance, reason: "it says that it is not" };
    }),
    call: guard.wrap(async (call: ServerCall, { signal }: OperationOptions = {}) => {
      const spec = operations.get(call.operation);
      if (spec === undefined) return { kind: "rejected", answer: textAnswer("there is no such operation") };
      if (spec.background) return await begin(call, signal);
      call.onSend();
      return await withinTime(clock, call.timeoutMs, [signal, closing.signal], (limit) =>
        perform(call, limit),
      );
    }),
    findRun: guard.wrap(async ({ server, taskId, runId }) => ({
      ...runs.find(server.id, { taskId, runId }),
      instance,
    })),
    cancelRun: guard.wrap(async ({ server, taskId, runId }) => runs.cancel(server.id, { taskId, runId })),
    info: guard.wrap(async () => undefined),
    close: guard.close,
  };
}

/** Ends the wait at the time limit (an outcome) or when one of the signals aborts (a rejection). */
async function withinTime(
  clock: Clock,
  timeoutMs: number,
  signals: readonly (AbortSignal | undefined)[],
  work: (signal: AbortSignal) => Promise<CallOutcome>,
): Promise<CallOutcome> {
  const ending = new AbortController();
  const undo: (() => void)[] = [];
  const ended = new Promise<CallOutcome>((resolve, reject) => {
    for (const signal of signals) {
      const onAbort = (): void => {
        ending.abort(signal?.reason);
        reject(signal?.reason);
      };
      signal?.addEventListener("abort", onAbort, { once: true });
      undo.push(() => signal?.removeEventListener("abort", onAbort));
    }
    undo.push(
      clock.after(timeoutMs, () => {
        // Before the function hears of it: what it makes of the abort is no answer.
        resolve({ kind: "broken", reason: "timeout" });
        ending.abort(new Error(`the function did not answer within ${timeoutMs} ms`));
      }),
    );
  });
  try {
    return await Promise.race([ended, work(ending.signal)]);
  } finally {
    for (const each of undo) each();
  }
}

/** A payload that remembers that it could not be read. */
class WatchedPayload implements ByteStream {
  failure: { readonly error: unknown } | undefined;
  readonly #payload: Uint8Array | ByteStream;

  constructor(payload: Uint8Array | ByteStream) {
    this.#payload = payload;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    if (this.#payload instanceof Uint8Array) {
      yield* streamOf(this.#payload);
      return;
    }
    const iterator = this.#payload[Symbol.asyncIterator]();
    let isOver = false;
    try {
      for (;;) {
        const next = await iterator.next().catch((error: unknown) => {
          this.failure = { error };
          throw error;
        });
        if (next.done === true) break;
        yield next.value;
      }
      isOver = true;
    } finally {
      if (!isOver) await iterator.return?.();
    }
  }
}

function outcomeOf(answer: MemoryAnswer): CallOutcome {
  if (typeof answer === "string") return { kind: "done", answer: textAnswer(answer) };
  if (answer instanceof Uint8Array)
    return { kind: "done", answer: answerOf(answer, "application/octet-stream") };
  if ("kind" in answer) return answer;
  const text = JSON.stringify(answer.json);
  return { kind: "done", answer: answerOf(new TextEncoder().encode(text), "application/json") };
}

function textAnswer(text: string): ServerAnswer {
  return answerOf(new TextEncoder().encode(text), "text/plain; charset=utf-8");
}

function answerOf(bytes: Uint8Array, contentType: string): ServerAnswer {
  return { contentType, sizeBytes: bytes.byteLength, body: streamOf(bytes) };
}
