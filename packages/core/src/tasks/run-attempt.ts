import type { ByteStream } from "../contracts/common.ts";
import type { Settlement } from "../contracts/ledger.ts";
import type { CallOutcome, ServerAnswer } from "../contracts/server-protocol.ts";
import type { ResultRef, TaskError } from "../contracts/task.ts";
import { GatewayError } from "../errors.ts";
import {
  type Attempt,
  type AttemptHost,
  callTimeoutMs,
  resultKey,
  type Target,
  targetOf,
} from "./attempt.ts";
import { fullJitterMs } from "./back-off.ts";
import { discardBody, storeBody } from "./body.ts";
import { judge, sentence } from "./failure-table.ts";
import { finish } from "./finish-attempt.ts";
import { orAborted, withinTime } from "./time-limit.ts";
import { watchRun } from "./watch-run.ts";

const STORE_TROUBLE = sentence("STORE_UNAVAILABLE", "The store of payloads and results did not answer.");
const TIME_OVER = sentence("SERVER_TIMEOUT", "The server did not answer within the time limit.");
/** What a protocol gets on top of its own time limit before the attempt gives up on it. */
const TIME_LIMIT_MARGIN_MS = 5_000;
/** Wait after trouble of our own, so that a store that is away is not asked all the time. */
const STORE_PAUSE_MS = 1_000;

/** Works on one grant until it is settled, or until the attempt no longer holds its task. Never rejects. */
export async function runAttempt(attempt: Attempt, host: AttemptHost): Promise<void> {
  const target = targetOf(attempt, host);
  if (attempt.grant.kind === "recover")
    return await watchRun(attempt, host, { isConfirmed: attempt.task.state === "running" });
  if (target === undefined) return await handBack(attempt, host, { counts: false, delayMs: 0 });
  if (attempt.task.cancelRequestedAtMs !== undefined) attempt.isCancelRequested = true;

  const payload = await loadPayload(attempt, host);
  if (payload.kind === "lost") {
    const error = sentence("PAYLOAD_LOST", "Its payload cannot be read any more.");
    return await finish(attempt, host, { ...attempt.ref(), kind: "failed", error, releaseHold: true });
  }
  if (payload.kind === "trouble")
    return await handBack(attempt, host, { counts: false, delayMs: STORE_PAUSE_MS, error: STORE_TROUBLE });
  const maySend = attempt.task.repeatable || (await markSent(attempt, host, target));
  if (!maySend || attempt.stopReason !== undefined || attempt.leaseEndsMs <= host.clock.monotonic()) {
    discardBody(payload.body);
    return maySend ? await stopped(attempt, host) : undefined;
  }

  const outcome = await call(attempt, host, target, payload.body);
  if (outcome === "stopped") return await stopped(attempt, host);
  await conclude(attempt, host, target, outcome);
}

type LoadedPayload =
  | { readonly kind: "ready"; readonly body: Uint8Array | ByteStream }
  | { readonly kind: "lost" }
  | { readonly kind: "trouble" };

async function loadPayload(attempt: Attempt, host: AttemptHost): Promise<LoadedPayload> {
  const { inline, key, isForgotten } = attempt.task.payload;
  if (inline !== undefined) return { kind: "ready", body: inline };
  if (key === undefined || isForgotten) return { kind: "lost" };
  try {
    const read = await host.checkpoint(
      "runner.payload",
      withinTime(host.clock, host.storeTimeoutMs, (signal) => host.objects.get(key, { signal })),
    );
    return read === undefined ? { kind: "lost" } : { kind: "ready", body: read.body };
  } catch {
    return { kind: "trouble" };
  }
}

/** Commits server and `sentAt` before the first byte leaves; tells whether it may leave now. */
async function markSent(attempt: Attempt, host: AttemptHost, { server }: Target): Promise<boolean> {
  const item: Settlement = { ...attempt.ref(), kind: "sent", server: server.id, instance: server.instance };
  const { outcome } = await host.checkpoint("runner.mark-sent", host.settle(item));
  if (outcome === "accepted" && !attempt.isCancelRequested) return true;
  if (outcome === "refused")
    await handBack(attempt, host, { counts: false, delayMs: STORE_PAUSE_MS, error: STORE_TROUBLE });
  else if (outcome !== "stale" && outcome !== "unknown") {
    await finish(attempt, host, { ...attempt.ref(), kind: "cancelled", releaseHold: true });
  }
  return false;
}

async function call(
  attempt: Attempt,
  host: AttemptHost,
  target: Target,
  payload: Uint8Array | ByteStream,
): Promise<CallOutcome | "stopped"> {
  const { task } = attempt;
  const { server, protocol, spec } = target;
  const startedMs = host.clock.monotonic();
  // The protocol limits the wait for an answer to begin; this limits the whole, also where a protocol does not.
  const limitMs = task.background ? callTimeoutMs(spec) + TIME_LIMIT_MARGIN_MS : spec.timeoutMs;
  attempt.release = host.clock.after(limitMs, () => attempt.stop("timeout"));
  // From here on, whatever happens, work that must not run twice counts as sent.
  if (!task.repeatable) attempt.isSent = true;
  attempt.sentInstance = server.instance;
  host.onStarted(attempt);
  try {
    const outcome = await host.checkpoint(
      "runner.call",
      orAborted(
        attempt.abort,
        protocol.call(
          {
            server,
            model: task.model,
            operation: task.operation,
            taskId: task.id,
            query: task.query,
            contentType: task.payload.contentType,
            sizeBytes: task.payload.sizeBytes,
            payload,
            timeoutMs: callTimeoutMs(spec),
            onSend: () => {
              // The process may have been paused since the lease was looked at; what has not left may still be kept.
              if (attempt.leaseEndsMs <= host.clock.monotonic()) attempt.stop("lease");
              else attempt.isSent = true;
            },
          },
          attempt.abort.options(),
        ),
      ),
    );
    observe(attempt, host, outcome, host.clock.monotonic() - startedMs);
    return outcome;
  } catch {
    if (attempt.stopReason !== undefined) return "stopped";
    // A protocol must not reject because of a server; whatever this is, the task may have been sent.
    const outcome: CallOutcome = { kind: "broken", reason: "reset" };
    observe(attempt, host, outcome, 0);
    return outcome;
  }
}

function observe(attempt: Attempt, host: AttemptHost, outcome: CallOutcome, durationMs: number): void {
  const { server } = attempt.grant;
  if (outcome.kind === "broken") host.observe(server, { kind: "failed" });
  else if (outcome.kind !== "refused") host.observe(server, { kind: "answered", durationMs });
  else {
    const { reason, retryAfterMs } = outcome;
    host.observe(server, { kind: "refused", reason, retryAfterMs, background: attempt.task.background });
  }
}

/** Does what the table of failures says. */
async function conclude(
  attempt: Attempt,
  host: AttemptHost,
  target: Target,
  outcome: CallOutcome,
): Promise<void> {
  const verdict = judge(outcome, attempt.task);
  switch (verdict.next) {
    case "succeed":
    case "fail":
      return await keepAnswer(
        attempt,
        host,
        verdict.answer,
        verdict.next === "fail" ? verdict.error : undefined,
      );
    case "wait":
      return await handBack(attempt, host, { counts: false, delayMs: 0, error: verdict.error });
    case "try-again":
      return await tryAgain(attempt, host, verdict.error);
    case "watch":
      return await watchRun(attempt, host, {
        isConfirmed: true,
        runId: verdict.runId,
        instance: verdict.instance ?? target.server.instance,
        announce: true,
      });
    case "find-out":
      return await watchRun(attempt, host, { isConfirmed: false, instance: attempt.sentInstance });
  }
}

/** Stores the answer, then ends the task: never the other way round. */
async function keepAnswer(
  attempt: Attempt,
  host: AttemptHost,
  answer: ServerAnswer,
  error: TaskError | undefined,
): Promise<void> {
  const { contentType, disposition, status } = answer;
  let result: ResultRef;
  try {
    const options = {
      objects: host.objects,
      key: resultKey(attempt),
      inlineBytes: host.inlineBytes,
      operation: attempt.abort.options(),
    };
    const storing = orAborted(attempt.abort, storeBody(answer.body, options));
    const stored = await host.checkpoint("runner.answer", storing);
    result = { ...stored, contentType, disposition, status };
  } catch (cause) {
    // Once it has answered there is nothing left to find out about work that must not run twice.
    const isOnlyLate = attempt.stopReason === "timeout" && !attempt.task.repeatable;
    if (attempt.stopReason !== undefined && !isOnlyLate) return await stopped(attempt, host);
    return await answerLost(attempt, host, cause, error);
  }
  const ref = attempt.ref();
  if (error === undefined)
    await finish(attempt, host, { ...ref, kind: "succeeded", result, releaseHold: true });
  else await finish(attempt, host, { ...ref, kind: "failed", error, result, releaseHold: true });
}

async function answerLost(
  attempt: Attempt,
  host: AttemptHost,
  cause: unknown,
  rejection: TaskError | undefined,
): Promise<void> {
  if (rejection !== undefined && !attempt.task.repeatable) {
    return await finish(attempt, host, {
      ...attempt.ref(),
      kind: "failed",
      error: rejection,
      releaseHold: true,
    });
  }
  if (GatewayError.is(cause, "SERVER_BROKE_OFF")) {
    host.observe(attempt.grant.server, { kind: "failed" });
    const verdict = judge({ kind: "broken", reason: "reset" }, attempt.task);
    if (verdict.next === "try-again") return await tryAgain(attempt, host, verdict.error);
    return await watchRun(attempt, host, { isConfirmed: false, instance: attempt.sentInstance });
  }
  if (attempt.task.repeatable)
    return await handBack(attempt, host, { counts: false, delayMs: STORE_PAUSE_MS, error: STORE_TROUBLE });
  const error = sentence(
    "STORE_UNAVAILABLE",
    "It ran, and its answer could not be kept; it was not sent again.",
  );
  await finish(attempt, host, { ...attempt.ref(), kind: "failed", error, releaseHold: true });
}

async function tryAgain(attempt: Attempt, host: AttemptHost, error: TaskError): Promise<void> {
  const delayMs = fullJitterMs(attempt.task.failures + 1, host.random);
  await handBack(attempt, host, { counts: true, delayMs, error, releaseHold: !mayRunOn(attempt) });
}

/** Whether the server may go on with it by itself; then its hold stays until the server was seen idle. */
function mayRunOn(attempt: Attempt): boolean {
  return attempt.task.background && attempt.isSent;
}

interface HandBack {
  /** Default `true`. */
  readonly releaseHold?: boolean;
  readonly counts: boolean;
  readonly delayMs: number;
  readonly error?: TaskError | undefined;
}

async function handBack(attempt: Attempt, host: AttemptHost, how: HandBack): Promise<void> {
  await finish(attempt, host, { ...attempt.ref(), kind: "returned", releaseHold: true, ...how });
}

/** What follows when the attempt was told to stop before there was an outcome. */
async function stopped(attempt: Attempt, host: AttemptHost): Promise<void> {
  const ref = attempt.ref();
  switch (attempt.stopReason) {
    case "cancel":
      return await finish(attempt, host, { ...ref, kind: "cancelled", releaseHold: !mayRunOn(attempt) });
    case "drain":
      if (attempt.task.repeatable || !attempt.isSent)
        return await handBack(attempt, host, { counts: false, delayMs: 0, releaseHold: !mayRunOn(attempt) });
      return await finish(attempt, host, { ...ref, kind: "abandoned" });
    case "timeout":
      host.observe(attempt.grant.server, { kind: "failed" });
      if (!attempt.isSent)
        return await handBack(attempt, host, { counts: false, delayMs: 0, error: TIME_OVER });
      if (attempt.task.repeatable) return await tryAgain(attempt, host, TIME_OVER);
      return await watchRun(attempt, host, { isConfirmed: false, instance: attempt.sentInstance });
    default:
      // The lease is over: whoever the ledger gives the task to settles it.
      return;
  }
}
