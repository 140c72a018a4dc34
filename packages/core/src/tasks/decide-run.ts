import type { Settlement } from "../contracts/ledger.ts";
import type { RunReport } from "../contracts/server-protocol.ts";
import type { TaskError } from "../contracts/task.ts";
import { compareInstances } from "../instance-marks.ts";
import { type Attempt, type AttemptHost, callTimeoutMs, type Target } from "./attempt.ts";
import { fullJitterMs } from "./back-off.ts";
import { sentence } from "./failure-table.ts";
import { SETTLE_MS, Watch } from "./watch-state.ts";

/** For how long "no such run", or that its endings are ambiguous, must be heard before it is believed. */
const QUIET_MS = 30_000;
/** For how long after the request's own time limit an unclear send is looked into before it stays unclear. */
const GIVE_UP_MS = 300_000;
/** For how long a run that was asked to end may go on before the task ends without it. */
const CANCEL_PATIENCE_MS = 30_000;
/** Used where the server, and so the operation's own limit, is not known any more. */
const UNKNOWN_CALL_TIMEOUT_MS = 120_000;

const UNKNOWN = sentence("OUTCOME_UNKNOWN", "It may have run, and nobody can tell; it was not sent again.");
const NEVER_RAN = sentence(
  "SERVER_BROKE_OFF",
  "The send failed, and the server turned out not to have run it.",
);
const FAILED = sentence("RUN_FAILED", "The background run ended as a failure.");
const GONE = sentence("RUN_FAILED", "The server restarted and lost the run.");
const OVERDUE = sentence("RUN_TIMEOUT", "The background run outlived its time limit.");

/**
 * - `wait`: nothing follows yet.
 * - `cancel`: the server is to be asked to stop the run.
 * - `keep`: the run is over; its document is stored, then the task ends with it.
 * - `end`: the task ends, or goes back to its lane.
 */
export type RunDecision =
  | { readonly next: "wait" | "cancel" }
  | { readonly next: "keep"; readonly as: "succeeded" | "failed" }
  | { readonly next: "end"; readonly item: Settlement };

const WAIT: RunDecision = { next: "wait" };

/** What a decision is made of. */
export interface RunSituation {
  readonly attempt: Attempt;
  readonly host: AttemptHost;
  readonly watch: Watch;
  /** Absent while the server is not known. */
  readonly target: Target | undefined;
  readonly report: RunReport;
  readonly nowMs: number;
}

/**
 * What follows from a look, which the watch has learnt from already. The order is that of
 * `docs/explanation/trainings.md`: the run's own ending, another run's, a server that is gone, the deadline.
 */
export function decideRun(situation: RunSituation): RunDecision {
  const { report, watch, nowMs } = situation;
  switch (report.run) {
    case "succeeded":
    case "failed":
      if (report.isProvisional && Watch.forMs(watch.provisionalSinceMs, nowMs) < SETTLE_MS) return WAIT;
      return { next: "keep", as: report.run };
    case "ambiguous":
      if (Watch.forMs(watch.ambiguousSinceMs, nowMs) <= QUIET_MS) return WAIT;
      return unresolved(situation, report.idle !== false);
    case "active":
      if (watch.goneForMs(nowMs) >= SETTLE_MS) return lost(situation);
      return isOverdue(situation) || situation.attempt.isCancelRequested ? stop(situation) : WAIT;
    case "none":
      return watch.isConfirmed ? decideLostRun(situation) : decideLostSend(situation);
    case "unclear":
      return decideUnclear(situation);
  }
}

/** The ending that a run's document goes with. */
export function endingOf(
  { attempt, report }: Pick<RunSituation, "attempt" | "report">,
  as: "succeeded" | "failed",
  result: Extract<Settlement, { kind: "failed" }>["result"],
): Settlement {
  const ref = attempt.ref();
  // A server that cannot tell whether it is free is taken to be once its run is over.
  const releaseHold = report.idle !== false;
  if (as === "succeeded")
    return {
      ...ref,
      kind: "succeeded",
      result: result ?? { sizeBytes: 0, inline: new Uint8Array() },
      releaseHold,
    };
  if (attempt.isCancelRequested) return { ...ref, kind: "cancelled", releaseHold };
  return { ...ref, kind: "failed", error: FAILED, result, releaseHold };
}

function isOverdue({ watch, target, nowMs }: RunSituation): boolean {
  return target !== undefined && nowMs - watch.sentMs > target.spec.timeoutMs;
}

/** Somebody wants the run to end, or its time is over. */
function stop({ attempt, watch, target, nowMs }: RunSituation): RunDecision {
  watch.cancelAskedMs ??= nowMs;
  if (target?.protocol.capabilities.cancelsRuns && nowMs - watch.cancelAskedMs < CANCEL_PATIENCE_MS)
    return watch.isCancelTaken ? WAIT : { next: "cancel" };
  // The run goes on; so does its hold on the server.
  return cancelledOr(attempt, OVERDUE, false);
}

/** Accepted, and its process is gone. */
function lost(situation: RunSituation): RunDecision {
  const { attempt } = situation;
  if (attempt.task.repeatable && !attempt.isCancelRequested) return sendAgain(situation, GONE, true);
  return cancelledOr(attempt, GONE, true);
}

/** Accepted, and nobody knows of it any more. */
function decideLostRun(situation: RunSituation): RunDecision {
  const { attempt, watch, report, nowMs } = situation;
  const isGone = isAnotherInstance(situation) || watch.goneForMs(nowMs) >= SETTLE_MS;
  if (!isGone && Watch.forMs(watch.noneSinceMs, nowMs) <= QUIET_MS) return WAIT;
  const releaseHold = report.idle === true || isGone;
  if (attempt.task.repeatable && !attempt.isCancelRequested) return sendAgain(situation, GONE, releaseHold);
  return cancelledOr(attempt, isGone ? GONE : UNKNOWN, releaseHold);
}

/** Sent, never heard of, and nobody knows of it. */
function decideLostSend(situation: RunSituation): RunDecision {
  const { attempt, watch, target, report, nowMs } = situation;
  const isAnother = isAnotherInstance(situation);
  const limitMs = target === undefined ? UNKNOWN_CALL_TIMEOUT_MS : callTimeoutMs(target.spec);
  const elapsedMs = nowMs - watch.startedMs;
  // Idle says nothing of a call in the foreground: it may have run to its end, and its answer was lost.
  const neverRan = attempt.task.background && report.idle === true && elapsedMs > limitMs;
  if (isAnother || neverRan) return sendAgain(situation, NEVER_RAN, true);
  // Nobody finds a call in the foreground later, and its slot waits for as long as it is looked for.
  const isLookedFor = attempt.task.background
    ? elapsedMs > limitMs + QUIET_MS && Watch.forMs(watch.noneSinceMs, nowMs) > QUIET_MS
    : elapsedMs > limitMs;
  return isLookedFor ? unresolved(situation, report.idle === true || isAnother) : WAIT;
}

function decideUnclear(situation: RunSituation): RunDecision {
  const { attempt, watch, target, nowMs } = situation;
  const elapsedMs = nowMs - watch.startedMs;
  if (watch.isConfirmed) {
    // Whoever cannot answer now may know that it was over before its server went.
    if (watch.goneForMs(nowMs) > GIVE_UP_MS) return lost(situation);
    if (target === undefined) return elapsedMs > GIVE_UP_MS ? unresolved(situation, false) : WAIT;
    // After a restart of every process the limit may be over before anybody had a chance to look.
    return isOverdue(situation) && elapsedMs > QUIET_MS ? cancelledOr(attempt, OVERDUE, false) : WAIT;
  }
  const cannotTell = target !== undefined && !target.protocol.capabilities.findsRuns;
  const limitMs = target === undefined ? UNKNOWN_CALL_TIMEOUT_MS : callTimeoutMs(target.spec);
  if (!cannotTell && elapsedMs <= limitMs + GIVE_UP_MS) return WAIT;
  return unresolved(situation, !attempt.task.background);
}

/** Whether the server itself says that it is not the one that was sent to. */
function isAnotherInstance({ watch, report }: RunSituation): boolean {
  return watch.isInstanceSure && compareInstances(watch.instance, report.instance) === "other";
}

function cancelledOr(attempt: Attempt, error: TaskError, releaseHold: boolean): RunDecision {
  const ref = attempt.ref();
  if (attempt.isCancelRequested) return { next: "end", item: { ...ref, kind: "cancelled", releaseHold } };
  return { next: "end", item: { ...ref, kind: "failed", error, releaseHold } };
}

/** Nothing of it is left, or doing it twice is harmless. */
function sendAgain({ attempt, host }: RunSituation, error: TaskError, releaseHold: boolean): RunDecision {
  if (attempt.isCancelRequested) return cancelledOr(attempt, error, releaseHold);
  const delayMs = fullJitterMs(attempt.task.failures + 1, host.random);
  return {
    next: "end",
    item: { ...attempt.ref(), kind: "returned", counts: true, delayMs, error, releaseHold },
  };
}

function unresolved(situation: RunSituation, releaseHold: boolean): RunDecision {
  if (situation.attempt.task.repeatable) return sendAgain(situation, UNKNOWN, releaseHold);
  return cancelledOr(situation.attempt, UNKNOWN, releaseHold);
}
