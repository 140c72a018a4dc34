import PQueue from "p-queue";
import type { Settlement } from "../contracts/ledger.ts";
import type { RunQuery, RunReport } from "../contracts/server-protocol.ts";
import type { ResultRef } from "../contracts/task.ts";
import { type Attempt, type AttemptHost, resultKey, type Target, targetOf } from "./attempt.ts";
import { discardBody, storeBody } from "./body.ts";
import { decideRun, endingOf, type RunSituation } from "./decide-run.ts";
import { finish } from "./finish-attempt.ts";
import { withinTime } from "./time-limit.ts";
import { Watch, type WatchStart } from "./watch-state.ts";

/** Longest wait for one answer about a run. */
const ASK_TIMEOUT_MS = 30_000;
/** Looks of one runner that are under way at a time. */
const MOST_LOOKS = 32;

const lines = new WeakMap<AttemptHost, PQueue>();

/**
 * Follows work that the server does on its own, or finds out whether it does, and ends the task by what it learns.
 * Nothing is sent again from here: at most the task is handed back, once it is certain that nothing runs.
 */
export async function watchRun(attempt: Attempt, host: AttemptHost, start: WatchStart): Promise<void> {
  const watch = new Watch(attempt, host, start);
  attempt.release();
  attempt.isWatching = true;
  if (attempt.task.cancelRequestedAtMs !== undefined) attempt.isCancelRequested = true;
  if (start.announce && !(await announce(attempt, host, watch))) return;
  for (;;) {
    if (mustStop(attempt, host)) return await letGo(attempt, host);
    const target = targetOf(attempt, host);
    watch.target = target ?? watch.target;
    // A look is as old as its question: the answer, or this process, may have been held up for as long as one must last.
    const nowMs = host.clock.monotonic();
    const report = await ask(attempt, host, watch);
    if (attempt.isLost) return;
    watch.learn(report, target, host.clock.monotonic());
    // An acceptance without a run's id, or one whose answer was lost, is told once the run is found, also if it is over.
    const isNews = !watch.isConfirmed || (watch.runId === undefined && report.runId !== undefined);
    if (report.run !== "none" && report.run !== "unclear" && isNews) {
      watch.isConfirmed = true;
      watch.runId = report.runId;
      watch.instance = report.instance ?? watch.instance;
      watch.isInstanceSure = true;
      if (!(await announce(attempt, host, watch))) return;
    }
    const ending = await follow({ attempt, host, watch, target, report, nowMs });
    if (ending !== undefined) return await finish(attempt, host, ending);
    // A stop that came during an await has nothing left to wake.
    if (mustStop(attempt, host)) return await letGo(attempt, host);
    const pause = attempt.pause(host.clock, watch.nextPauseMs(host.random));
    await host.checkpoint("runner.watch-pause", pause);
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

function queryOf(attempt: Attempt, { server }: Target, watch: Watch): RunQuery {
  return { server, taskId: attempt.id, runId: watch.runId, operation: attempt.task.operation };
}

async function ask(attempt: Attempt, host: AttemptHost, watch: Watch): Promise<RunReport> {
  const { target } = watch;
  if (target === undefined || !target.protocol.capabilities.findsRuns) return { run: "unclear" };
  const wantsInstance = watch.wantsInstance(host.clock.monotonic());
  const query = { ...queryOf(attempt, target, watch), wantsInstance };
  const look = (): Promise<RunReport> =>
    withinTime(host.clock, ASK_TIMEOUT_MS, (signal) => target.protocol.findRun(query, { signal }));
  const line = lines.get(host) ?? new PQueue({ concurrency: MOST_LOOKS });
  lines.set(host, line);
  try {
    return await host.checkpoint("runner.find-run", line.add(look));
  } catch {
    return { run: "unclear" };
  }
}

/** Does what follows from a look; resolves the ending, or `undefined` to go on watching. */
async function follow(situation: RunSituation): Promise<Settlement | undefined> {
  const { attempt, host, watch, target, report } = situation;
  const decision = decideRun(situation);
  if (decision.next === "end") return decision.item;
  if (decision.next === "keep") {
    const result = await keepDocument(attempt, host, report);
    return result === "trouble" ? undefined : endingOf(situation, decision.as, result);
  }
  if (report.document !== undefined) discardBody(report.document.body);
  if (decision.next === "cancel" && target !== undefined) {
    if (watch.cancelAskedMs === situation.nowMs) watch.quicken();
    const asking = withinTime(host.clock, ASK_TIMEOUT_MS, (signal) =>
      target.protocol.cancelRun(queryOf(attempt, target, watch), { signal }),
    );
    watch.isCancelTaken = await host.checkpoint(
      "runner.cancel-run",
      asking.catch(() => false),
    );
  }
  return undefined;
}

/** Stores what is known of an ended run, before the task ends. */
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
