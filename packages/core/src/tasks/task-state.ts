import type { Settlement } from "../contracts/ledger.ts";
import type { TaskError, TaskProgress, TaskRecord, TaskState, TerminalState } from "../contracts/task.ts";
import { fullJitterMs } from "./back-off.ts";

/** Attempts that may be lost with their holder, before anything was known to be sent, until the task is given up. */
export const MAX_LOST_ATTEMPTS = 20;

export function isTerminal(state: TaskState): state is TerminalState {
  return state === "succeeded" || state === "failed" || state === "cancelled";
}

/** What a transition did. `changed` is absent when the task is as it was. */
export interface Transition {
  readonly outcome: "accepted" | "cancel_requested" | "stale";
  readonly changed?: TaskRecord | undefined;
}

const STALE: Transition = { outcome: "stale" };
const ACCEPTED: Transition = { outcome: "accepted" };

/** Fields of a task that nobody holds. */
const UNHELD = { holder: undefined, leaseExpiresAtMs: undefined, recovering: false } as const;

function isHeld(task: TaskProgress, attempt: number): boolean {
  return task.attempt === attempt && task.holder !== undefined && !isTerminal(task.state);
}

/** The ledger's own endings: a deadline, a cancel, a lease. */
export function endByLedger(
  task: TaskRecord,
  state: TerminalState,
  error: TaskError | undefined,
  nowMs: number,
): TaskRecord {
  return { ...task, ...UNHELD, state, finishedAtMs: nowMs, endedBy: "ledger", error: error ?? task.error };
}

/** Mints the next attempt and hands the waiting task to `holder`. The caller has checked slot, hold and back-off. */
export function grant(
  task: TaskRecord,
  to: {
    readonly holder: string;
    readonly server: string;
    readonly instance?: string | undefined;
    readonly leaseMs: number;
  },
  nowMs: number,
): TaskRecord {
  return {
    ...task,
    state: "scheduled",
    attempt: task.attempt + 1,
    holder: to.holder,
    leaseExpiresAtMs: nowMs + to.leaseMs,
    server: to.server,
    instance: to.instance,
    sentAtMs: undefined,
    runId: undefined,
    recovering: false,
    notBeforeAtMs: undefined,
    startedAtMs: task.startedAtMs ?? nowMs,
  };
}

/** Whether the task was sent, cannot be sent again, and nobody is finding out what became of it. */
export function needsRecovery(task: TaskProgress): boolean {
  return task.holder === undefined && (task.state === "scheduled" || task.state === "running");
}

/** Mints an attempt that finds out what became of an earlier send. Server, `sentAtMs` and `runId` stay. */
export function recover(
  task: TaskRecord,
  to: { readonly holder: string; readonly leaseMs: number },
  nowMs: number,
): TaskRecord {
  return {
    ...task,
    attempt: task.attempt + 1,
    holder: to.holder,
    leaseExpiresAtMs: nowMs + to.leaseMs,
    recovering: true,
  };
}

/** Keeps the hold of one attempt for another lease. */
export function renew(
  task: TaskRecord,
  item: { attempt: number; sent: boolean },
  leaseMs: number,
  nowMs: number,
): Transition {
  if (!isHeld(task, item.attempt)) return STALE;
  const changed: TaskRecord = {
    ...task,
    leaseExpiresAtMs: nowMs + leaseMs,
    sentAtMs: item.sent ? (task.sentAtMs ?? nowMs) : task.sentAtMs,
  };
  return { outcome: task.cancelRequestedAtMs === undefined ? "accepted" : "cancel_requested", changed };
}

/** Applies what the holder of an attempt reports; fenced by attempt, idempotent per (task, attempt). */
export function settle(task: TaskRecord, item: Settlement, nowMs: number): Transition {
  if (!isHeld(task, item.attempt)) return settleAgain(task, item);
  switch (item.kind) {
    case "sent": {
      const changed = {
        ...task,
        sentAtMs: task.sentAtMs ?? nowMs,
        server: item.server,
        instance: item.instance ?? task.instance,
      };
      return { outcome: task.cancelRequestedAtMs === undefined ? "accepted" : "cancel_requested", changed };
    }
    case "running": {
      const changed: TaskRecord = {
        ...task,
        state: "running",
        sentAtMs: task.sentAtMs ?? nowMs,
        runId: item.runId ?? task.runId,
        instance: item.instance ?? task.instance,
      };
      return { outcome: task.cancelRequestedAtMs === undefined ? "accepted" : "cancel_requested", changed };
    }
    case "returned":
      return { outcome: "accepted", changed: handBack(task, item, nowMs) };
    case "abandoned":
      return {
        outcome: "accepted",
        changed: task.sentAtMs === undefined ? unbegin(task, nowMs) : { ...task, ...UNHELD },
      };
    case "succeeded":
      return {
        outcome: "accepted",
        changed: end(task, "succeeded", nowMs, { result: item.result, error: undefined }),
      };
    case "failed":
      return {
        outcome: "accepted",
        changed: end(task, "failed", nowMs, { result: item.result, error: item.error }),
      };
    case "cancelled":
      return { outcome: "accepted", changed: end(task, "cancelled", nowMs, {}) };
  }
}

function end(
  task: TaskRecord,
  state: TerminalState,
  nowMs: number,
  outcome: Pick<TaskProgress, "result" | "error">,
): TaskRecord {
  return { ...task, ...UNHELD, ...outcome, state, finishedAtMs: nowMs, endedBy: "attempt" };
}

/** The same settlement again is told `accepted`; anything else by an attempt without the hold is `stale`. */
function settleAgain(task: TaskRecord, item: Settlement): Transition {
  if (task.attempt !== item.attempt) return STALE;
  if (item.kind === "returned") {
    // Handing back ends a task whose cancel is wanted, or that has failed as often as allowed.
    const hasCancelled =
      task.state === "cancelled" && task.cancelRequestedAtMs !== undefined && task.endedBy === "ledger";
    const hasExhausted =
      task.state === "failed" && task.endedBy === "attempt" && task.error?.code === "ATTEMPTS_EXHAUSTED";
    return task.state === "pending" || hasCancelled || hasExhausted ? ACCEPTED : STALE;
  }
  if (item.kind === "abandoned") return isTerminal(task.state) ? STALE : ACCEPTED;
  return task.state === item.kind && task.endedBy === "attempt" ? ACCEPTED : STALE;
}

function handBack(task: TaskRecord, item: Settlement & { kind: "returned" }, nowMs: number): TaskRecord {
  if (task.cancelRequestedAtMs !== undefined) return endByLedger(task, "cancelled", item.error, nowMs);
  const failures = task.failures + (item.counts ? 1 : 0);
  if (item.counts && failures >= task.maxFailures) {
    return {
      ...endByLedger(task, "failed", exhausted(failures, item.error), nowMs),
      failures,
      endedBy: "attempt",
    };
  }
  return {
    ...task,
    ...UNHELD,
    state: "pending",
    failures,
    error: item.error ?? task.error,
    sentAtMs: undefined,
    runId: undefined,
    notBeforeAtMs: item.delayMs > 0 ? nowMs + item.delayMs : undefined,
  };
}

function exhausted(failures: number, last: TaskError | undefined): TaskError {
  const cause = last === undefined ? "" : ` The last cause was ${last.code}.`;
  return {
    code: "ATTEMPTS_EXHAUSTED",
    message: `It failed ${failures} times, as often as allowed.${cause}`,
    status: last?.status,
  };
}

/**
 * Takes a task from a holder whose lease has ended. What was sent and is not repeatable stays where it is, without a
 * holder, until an attempt recovers it; everything else goes back to its lane, and counts only if it was sent.
 */
export function expire(task: TaskRecord, nowMs: number, random: () => number): TaskRecord {
  if (task.state === "running" || (task.sentAtMs !== undefined && !task.repeatable))
    return { ...task, ...UNHELD };
  const error: TaskError = {
    code: "LEASE_LOST",
    message: "The runner that held the attempt stopped renewing it.",
  };
  if (task.cancelRequestedAtMs !== undefined) return endByLedger(task, "cancelled", undefined, nowMs);
  if (task.sentAtMs !== undefined) {
    const delayMs = fullJitterMs(task.failures + 1, random);
    const back = handBack(
      task,
      { ...refOf(task), kind: "returned", counts: true, delayMs, error, releaseHold: false },
      nowMs,
    );
    return isTerminal(back.state) ? { ...back, endedBy: "ledger" } : back;
  }
  const lostAttempts = task.lostAttempts + 1;
  if (lostAttempts >= MAX_LOST_ATTEMPTS) {
    const message = `Its runner ended ${lostAttempts} times while it held the task.`;
    return { ...endByLedger(task, "failed", { code: "ATTEMPTS_EXHAUSTED", message }, nowMs), lostAttempts };
  }
  return { ...task, ...UNHELD, state: "pending", lostAttempts, error };
}

function refOf(task: TaskRecord): { id: string; attempt: number } {
  return { id: task.id, attempt: task.attempt };
}

/** Undoes a grant that never reached its holder. Waiting again, or for a recovery again to be recovered. */
export function unbegin(task: TaskRecord, nowMs: number): TaskRecord {
  if (task.recovering) return { ...task, ...UNHELD };
  if (task.cancelRequestedAtMs !== undefined) return endByLedger(task, "cancelled", undefined, nowMs);
  return { ...task, ...UNHELD, state: "pending" };
}

/** A wish to cancel: ends a waiting task, is recorded for a held one. */
export function requestCancel(
  task: TaskRecord,
  nowMs: number,
): { outcome: "done" | "requested" | "too_late"; changed?: TaskRecord } {
  if (isTerminal(task.state)) return { outcome: "too_late" };
  if (task.state === "pending")
    return { outcome: "done", changed: endByLedger(task, "cancelled", undefined, nowMs) };
  if (task.cancelRequestedAtMs !== undefined) return { outcome: "requested" };
  return { outcome: "requested", changed: { ...task, cancelRequestedAtMs: nowMs } };
}
