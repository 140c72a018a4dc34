import type { Clock } from "../contracts/clock.ts";
import type { OperationOptions } from "../contracts/common.ts";
import type { RunQuery, RunReport } from "../contracts/server-protocol.ts";
import type { TrackedRun } from "../contracts/tracking.ts";
import { mergeInstances } from "../instance-marks.ts";
import { askServerMetrics, askServerRuns } from "./cms-server-runs.ts";
import type { ControlClient } from "./control-client.ts";
import type { HttpTransport } from "./http-transport.ts";
import { askProcessMark, beganAfter } from "./process-mark.ts";
import { runDocument } from "./run-document.ts";
import { hasEarlierWork, isConclusive, judgeRun, type TrainerMode } from "./run-evidence.ts";
import type { Told, TrackedRuns } from "./tracked-runs.ts";

export interface CmsRunContext {
  readonly control: ControlClient;
  readonly transport: HttpTransport;
  readonly clock: Clock;
  /** Absent without a tracker that can tell of runs. */
  readonly tracked: TrackedRuns | undefined;
  readonly controlTimeoutMs: number;
}

/** For how long before a training others are looked at that may still lack the result that they share with it. */
const EARLIER_MS = 3_600_000;
/** The same for work that a cancel must not hit. */
const EARLIER_WORK_MS = 86_400_000;

/** The run that a training was accepted as, and what else is known of it. */
interface Look {
  readonly own: TrackedRun | "none" | "unclear";
  /**
   * Whether the tracker knows the run. `unclear`: it does not answer; `false`: there is none, or the server's runs are
   * not in it, so that it says nothing of them.
   */
  readonly isTracked: boolean | "unclear";
  readonly instance: string | undefined;
}

/**
 * What became of a training, by the server and the tracker at once. `idle` stays open, as a CMS does not tell it. The
 * rules are in `docs/explanation/trainings.md`.
 */
export async function findCmsRun(
  context: CmsRunContext,
  query: RunQuery,
  options: OperationOptions,
): Promise<RunReport> {
  if (query.taskId === undefined) return { run: "unclear" };
  const look = await lookAt(context, query, query.taskId, options);
  const { own, instance } = look;
  if (own === "none" || own === "unclear") return { run: own, instance };
  const shared = {
    runId: own.id,
    instance,
    isLost: beganAfter(instance, own.startedAtMs) ? true : undefined,
  };
  const judged = await judge(context, look, own, modeOf(query.operation));
  if (judged.run !== "succeeded" && judged.run !== "failed") return { run: judged.run, ...shared };
  const metrics = look.isTracked === true ? own.metrics : await askServerMetrics(context, query, options);
  const document = runDocument({ ...own, metrics }, judged.result);
  return { run: judged.run, isProvisional: judged.isProvisional, document, ...shared };
}

/**
 * Cancels what runs on the server, if that is the run asked for. CMS cancels whatever it works on and is told no id,
 * so nothing is sent unless the run was found active right before, and nothing else that may be at work there.
 */
export async function cancelCmsRun(
  context: CmsRunContext,
  query: RunQuery,
  options: OperationOptions,
): Promise<boolean> {
  if (query.taskId === undefined) return false;
  const look = await lookAt(context, query, query.taskId, options);
  const { own, isTracked } = look;
  // A run that others made look failed shows that something began after it.
  if (own === "none" || own === "unclear" || own.state !== "active") return false;
  if (context.tracked !== undefined && isTracked !== false) {
    const runs = await context.tracked.since((own.startedAtMs ?? 0) - EARLIER_WORK_MS, false);
    if (runs === "unclear" || hasEarlierWork(own, runs)) return false;
    if (judgeRun(own, runs, modeOf(query.operation)).run !== "active") return false;
  }
  const answer = await context.control.send(
    { server: query.server, method: "POST", path: "/cancel_training", timeoutMs: context.controlTimeoutMs },
    options,
  );
  return answer.kind === "answered" && answer.status >= 200 && answer.status < 300;
}

/** Whether a run that keeps a server busy is the one of this task, begun by a send whose answer was lost. */
export async function isOwnRun(
  context: CmsRunContext,
  query: RunQuery & { runId: string },
): Promise<boolean> {
  const { taskId, runId } = query;
  if (taskId === undefined) return false;
  const isIt = (run: TrackedRun): boolean => run.id === runId && run.name === taskId;
  const [told, tracked] = await Promise.all([
    askServerRuns(context, { ...query, taskId }, {}),
    context.tracked?.byId(runId),
  ]);
  if (tracked !== undefined && tracked !== "unclear" && isIt(tracked)) return true;
  return told.runs !== "unclear" && told.runs.some(isIt);
}

async function lookAt(
  context: CmsRunContext,
  query: RunQuery,
  taskId: string,
  options: OperationOptions,
): Promise<Look> {
  const [told, tracked] = await Promise.all([
    askServerRuns(context, { ...query, taskId }, options),
    askTracker(context.tracked, taskId, query.runId),
  ]);
  options.signal?.throwIfAborted();
  // A header tells processes apart; only a mark of time tells whether one began after the run.
  const mark = query.wantsInstance === true ? await askProcessMark(query.server, context) : undefined;
  const instance = mergeInstances(told.instance, mark);
  const served = told.runs === "unclear" ? "unclear" : (pickRun(told.runs, query.runId) ?? "none");
  if (tracked === "off") return { own: served, isTracked: false, instance };
  if (tracked === "unclear")
    return { own: served === "none" ? "unclear" : served, isTracked: "unclear", instance };
  if (tracked === undefined) return { own: served, isTracked: false, instance };
  return { own: tracked, isTracked: true, instance };
}

async function askTracker(
  tracked: TrackedRuns | undefined,
  taskId: string,
  runId: string | undefined,
): Promise<Told<TrackedRun | undefined> | "off"> {
  if (tracked === undefined) return "off";
  if (runId !== undefined) return await tracked.byId(runId);
  const named = await tracked.named(taskId);
  return named === "unclear" ? named : pickRun(named, undefined);
}

interface Judged {
  readonly run: RunReport["run"];
  readonly result?: TrackedRun | undefined;
  readonly isProvisional?: boolean | undefined;
}

async function judge(
  { tracked }: CmsRunContext,
  { isTracked }: Look,
  own: TrackedRun,
  mode: TrainerMode | undefined,
): Promise<Judged> {
  const isOver = isConclusive(own);
  if (isTracked === "unclear") {
    // It is told from what the server knows only once the tracker has had another chance.
    if (isOver) return { run: own.state, isProvisional: true };
    return { run: own.state === "active" ? "active" : "unclear" };
  }
  if (isOver || !isTracked || tracked === undefined) return { run: own.state };
  // A run that was just marked as failed is held against what is there now, not against what was a moment ago.
  const isActive = own.state === "active";
  const runs =
    own.startedAtMs === undefined ? "unclear" : await tracked.since(own.startedAtMs - EARLIER_MS, isActive);
  if (runs === "unclear") return { run: isActive ? "active" : "unclear" };
  return judgeRun(own, runs, mode);
}

function modeOf(operation: string | undefined): TrainerMode | undefined {
  if (operation === undefined) return undefined;
  return operation === "evaluate" ? "eval" : "train";
}

// A tracking id can stand for several runs: the one asked for, else one that still works, else the newest.
function pickRun(runs: readonly TrackedRun[], runId: string | undefined): TrackedRun | undefined {
  if (runId !== undefined) return runs.find((run) => run.id === runId);
  const active = runs.find((run) => run.state === "active");
  const startOf = (run: TrackedRun): number => run.startedAtMs ?? 0;
  return (
    active ??
    runs.reduce<TrackedRun | undefined>(
      (newest, run) => (newest === undefined || startOf(run) > startOf(newest) ? run : newest),
      undefined,
    )
  );
}
