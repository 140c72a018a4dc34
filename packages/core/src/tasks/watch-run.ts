import type { Settlement } from "../contracts/ledger.ts";
import type { RunReport } from "../contracts/server-protocol.ts";
import type { ResultRef, TaskError } from "../contracts/task.ts";
import {
  type Attempt,
  type AttemptHost,
  callTimeoutMs,
  resultKey,
  type Target,
  targetOf,
} from "./attempt.ts";
import { fullJitterMs } from "./back-off.ts";
import { storeBody } from "./body.ts";
import { sentence } from "./failure-table.ts";
import { finish } from "./finish-attempt.ts";
import { withinTime } from "./time-limit.ts";

/** Pace of the watch: gentle, and slower the longer nothing happens. */
const FIRST_PAUSE_MS = 250;
const LONGEST_PAUSE_MS = 15_000;
/** For how long "I know no such run" must be heard before it is believed of a run that was accepted. */
const QUIET_MS = 30_000;
/** For how long after the request's own time limit an unclear send is looked into before it stays unclear. */
const GIVE_UP_MS = 300_000;
/** For how long a run that was asked to end may go on before the task ends without it. */
const CANCEL_PATIENCE_MS = 30_000;
/** Longest wait for one answer about a run. */
const ASK_TIMEOUT_MS = 30_000;
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

/** What is known of a send when the watch begins. */
export interface WatchStart {
  /** The server accepted it (202), now or to an earlier attempt. Otherwise it is unclear whether it arrived. */
  readonly isConfirmed: boolean;
  readonly runId?: string | undefined;
  /** The incarnation of the server that it was sent to. */
  readonly instance?: string | undefined;
  /** The ledger does not know yet that the server accepted it. */
  readonly announce?: boolean | undefined;
}

interface Watch {
  isConfirmed: boolean;
  runId: string | undefined;
  instance: string | undefined;
  /**
   * Whether the server itself named that instance after the send. Discovery may be late: the instance that it named
   * before may have been replaced by then, and proves nothing.
   */
  isInstanceSure: boolean;
  readonly startedMs: number;
  noneSinceMs: number | undefined;
  cancelAskedMs: number | undefined;
  pauseMs: number;
}

/**
 * Follows work that the server does on its own, or finds out whether it does, and ends the task by what it learns.
 * Nothing is sent again from here: at most the task is handed back, once it is certain that nothing runs.
 */
export async function watchRun(attempt: Attempt, host: AttemptHost, start: WatchStart): Promise<void> {
  const { task } = attempt;
  const watch: Watch = {
    isConfirmed: start.isConfirmed,
    runId: start.runId ?? task.runId,
    instance: start.instance ?? task.instance,
    isInstanceSure: start.isConfirmed,
    startedMs: host.clock.monotonic(),
    noneSinceMs: undefined,
    cancelAskedMs: undefined,
    pauseMs: FIRST_PAUSE_MS,
  };
  attempt.release();
  attempt.isWatching = true;
  if (task.cancelRequestedAtMs !== undefined) attempt.isCancelRequested = true;
  if (start.announce && !(await announce(attempt, host, watch))) return;
  for (;;) {
    if (mustStop(attempt, host)) return await letGo(attempt, host);
    const target = targetOf(attempt, host);
    const report = await ask(attempt, host, watch, target);
    if (attempt.isLost) return;
    watch.isInstanceSure ||= report.instance !== undefined && report.instance === watch.instance;
    if (report.run === "active" && !watch.isConfirmed) {
      watch.isConfirmed = true;
      watch.runId = report.runId;
      watch.instance = report.instance ?? watch.instance;
      watch.isInstanceSure = true;
      if (!(await announce(attempt, host, watch))) return;
    }
    const ending = await decide(attempt, host, watch, target, report);
    if (ending !== undefined) return await finish(attempt, host, ending);
    // A stop that came during an await has nothing left to wake.
    if (mustStop(attempt, host)) return await letGo(attempt, host);
    await host.checkpoint("runner.watch-pause", attempt.pause(host.clock, watch.pauseMs));
    watch.pauseMs = Math.min(LONGEST_PAUSE_MS, watch.pauseMs * 1.5);
  }
}

function mustStop(attempt: Attempt, host: AttemptHost): boolean {
  return attempt.isLost || attempt.stopReason === "drain" || host.isDraining();
}

/** Leaves the run to another process, which goes on watching it. */
async function letGo(attempt: Attempt, host: AttemptHost): Promise<void> {
  if (!attempt.isLost) await finish(attempt, host, { ...attempt.ref(), kind: "abandoned" });
}

/** Tells the ledger that the server accepted it; tells whether the attempt still holds the task. */
async function announce(attempt: Attempt, host: AttemptHost, watch: Watch): Promise<boolean> {
  const item: Settlement = {
    ...attempt.ref(),
    kind: "running",
    runId: watch.runId,
    instance: watch.instance,
  };
  const { outcome } = await host.checkpoint("runner.result", host.settle(item));
  if (outcome === "stale" || outcome === "unknown") return false;
  host.onRunning(attempt, watch.runId);
  return true;
}

async function ask(
  attempt: Attempt,
  host: AttemptHost,
  watch: Watch,
  target: Target | undefined,
): Promise<RunReport> {
  if (target === undefined || !target.protocol.capabilities.findsRuns) return { run: "unclear" };
  const query = { server: target.server, taskId: attempt.id, runId: watch.runId };
  try {
    return await host.checkpoint(
      "runner.find-run",
      withinTime(host.clock, ASK_TIMEOUT_MS, (signal) => target.protocol.findRun(query, { signal })),
    );
  } catch {
    return { run: "unclear" };
  }
}

/** The ending that follows from a report, or `undefined` to go on watching. */
async function decide(
  attempt: Attempt,
  host: AttemptHost,
  watch: Watch,
  target: Target | undefined,
  report: RunReport,
): Promise<Settlement | undefined> {
  const ref = attempt.ref();
  // A server that cannot tell whether it is free is taken to be once its run is over.
  const releaseHold = report.idle !== false;
  if (report.run !== "none") watch.noneSinceMs = undefined;
  switch (report.run) {
    case "succeeded":
    case "failed": {
      const result = await keepDocument(attempt, host, report);
      if (result === "trouble") return undefined;
      if (report.run === "succeeded") {
        return {
          ...ref,
          kind: "succeeded",
          result: result ?? { sizeBytes: 0, inline: new Uint8Array() },
          releaseHold,
        };
      }
      if (attempt.isCancelRequested) return { ...ref, kind: "cancelled", releaseHold };
      return { ...ref, kind: "failed", error: FAILED, result, releaseHold };
    }
    case "active":
      return await decideActive(attempt, host, watch, target);
    case "none":
      watch.noneSinceMs ??= host.clock.monotonic();
      return decideNone(attempt, host, watch, target, report);
    case "unclear":
      return decideUnclear(attempt, host, watch, target);
  }
}

async function decideActive(
  attempt: Attempt,
  host: AttemptHost,
  watch: Watch,
  target: Target | undefined,
): Promise<Settlement | undefined> {
  const nowMs = host.clock.monotonic();
  const isOverdue = target !== undefined && nowMs - watch.startedMs > target.spec.timeoutMs;
  if (!attempt.isCancelRequested && !isOverdue) return undefined;
  if (watch.cancelAskedMs === undefined) {
    watch.cancelAskedMs = nowMs;
    watch.pauseMs = FIRST_PAUSE_MS;
    if (target?.protocol.capabilities.cancelsRuns) {
      const query = { server: target.server, taskId: attempt.id, runId: watch.runId };
      await host.checkpoint(
        "runner.cancel-run",
        target.protocol.cancelRun(query).catch(() => false),
      );
      return undefined;
    }
  } else if (nowMs - watch.cancelAskedMs < CANCEL_PATIENCE_MS) return undefined;
  // The run goes on; so does its hold on the server.
  const ref = attempt.ref();
  if (attempt.isCancelRequested) return { ...ref, kind: "cancelled", releaseHold: false };
  return { ...ref, kind: "failed", error: OVERDUE, releaseHold: false };
}

function decideNone(
  attempt: Attempt,
  host: AttemptHost,
  watch: Watch,
  target: Target | undefined,
  report: RunReport,
): Settlement | undefined {
  const ref = attempt.ref();
  const nowMs = host.clock.monotonic();
  const isAnotherInstance =
    watch.isInstanceSure &&
    report.instance !== undefined &&
    watch.instance !== undefined &&
    report.instance !== watch.instance;
  const isQuiet = nowMs - (watch.noneSinceMs ?? nowMs) > QUIET_MS;
  const releaseHold = report.idle === true || isAnotherInstance;
  if (watch.isConfirmed) {
    if (!isAnotherInstance && !isQuiet) return undefined;
    if (attempt.isCancelRequested) return { ...ref, kind: "cancelled", releaseHold };
    if (attempt.task.repeatable) return sendAgain(attempt, host, GONE, releaseHold);
    return { ...ref, kind: "failed", error: isAnotherInstance ? GONE : UNKNOWN, releaseHold };
  }
  const limitMs = target === undefined ? UNKNOWN_CALL_TIMEOUT_MS : callTimeoutMs(target.spec);
  const elapsedMs = nowMs - watch.startedMs;
  // Idle says nothing of a call in the foreground: it may have run to its end, and its answer was lost.
  const neverRan = attempt.task.background && report.idle === true && elapsedMs > limitMs;
  if (isAnotherInstance || neverRan) return sendAgain(attempt, host, NEVER_RAN, true);
  // Nobody finds a call in the foreground later, and its slot waits for as long as it is looked for.
  const isLookedFor = attempt.task.background
    ? elapsedMs > limitMs + QUIET_MS && isQuiet
    : elapsedMs > limitMs;
  if (isLookedFor) return unresolved(attempt, host, releaseHold);
  return undefined;
}

function decideUnclear(
  attempt: Attempt,
  host: AttemptHost,
  watch: Watch,
  target: Target | undefined,
): Settlement | undefined {
  const elapsedMs = host.clock.monotonic() - watch.startedMs;
  if (watch.isConfirmed) {
    const limitMs = target?.spec.timeoutMs ?? GIVE_UP_MS;
    if (elapsedMs <= limitMs) return undefined;
    if (target === undefined) return unresolved(attempt, host, false);
    if (attempt.isCancelRequested) return { ...attempt.ref(), kind: "cancelled", releaseHold: false };
    return { ...attempt.ref(), kind: "failed", error: OVERDUE, releaseHold: false };
  }
  const cannotTell = target !== undefined && !target.protocol.capabilities.findsRuns;
  const limitMs = target === undefined ? UNKNOWN_CALL_TIMEOUT_MS : callTimeoutMs(target.spec);
  if (!cannotTell && elapsedMs <= limitMs + GIVE_UP_MS) return undefined;
  return unresolved(attempt, host, !attempt.task.background);
}

/** Nothing of it is left, or doing it twice is harmless. */
function sendAgain(attempt: Attempt, host: AttemptHost, error: TaskError, releaseHold: boolean): Settlement {
  if (attempt.isCancelRequested) return { ...attempt.ref(), kind: "cancelled", releaseHold };
  const delayMs = fullJitterMs(attempt.task.failures + 1, host.random);
  return { ...attempt.ref(), kind: "returned", counts: true, delayMs, error, releaseHold };
}

function unresolved(attempt: Attempt, host: AttemptHost, releaseHold: boolean): Settlement {
  if (attempt.task.repeatable) return sendAgain(attempt, host, UNKNOWN, releaseHold);
  if (attempt.isCancelRequested) return { ...attempt.ref(), kind: "cancelled", releaseHold };
  return { ...attempt.ref(), kind: "failed", error: UNKNOWN, releaseHold };
}

/** Stores what the server reports of an ended run, before the task ends. */
async function keepDocument(
  attempt: Attempt,
  host: AttemptHost,
  report: RunReport,
): Promise<ResultRef | undefined | "trouble"> {
  const { document } = report;
  if (document === undefined) return undefined;
  const { contentType, disposition, status } = document;
  try {
    const options = { objects: host.objects, key: resultKey(attempt), inlineBytes: host.inlineBytes };
    return {
      ...(await host.checkpoint("runner.answer", storeBody(document.body, options))),
      contentType,
      disposition,
      status,
    };
  } catch {
    return "trouble";
  }
}
