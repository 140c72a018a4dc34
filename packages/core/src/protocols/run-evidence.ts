import type { TrackedRun } from "../contracts/tracking.ts";

/** What the tracker's runs say of a training. */
export interface RunVerdict {
  readonly run: "active" | "succeeded" | "failed" | "ambiguous";
  /** The run that has the result, where it is not the one of the acceptance. */
  readonly result?: TrackedRun | undefined;
  readonly isProvisional?: boolean | undefined;
}

/** Whether it trains or evaluates, in the words of the tag of a trainer. */
export type TrainerMode = "train" | "eval";

/** How near to the end of a run another must begin for the end to be taken for its doing. */
const SAME_MOMENT_MS = 3000;
/** Names that MLflow makes up. */
const INVENTED = /^[a-z]+-[a-z]+-\d+$/;
/** Where MLflow puts runs that nobody gave an experiment. */
const DEFAULT_EXPERIMENT = "0";
/** A CMS gives it to each run that it names, at once. */
const NAMED_TAG = "training.is.tracked";
/** The host of the server that opened the run; a CMS sets it on the runs that it names only. */
const HOST_TAG = "mlflow.source.name";
const MODE_TAG = "training.trainer.mode";

/**
 * Judges the run that was named when a training was accepted, by itself and by `runs`: all that began since a while
 * before it. The rules, and what servers do that makes them necessary, are in `docs/explanation/trainings.md`.
 */
export function judgeRun(
  own: TrackedRun,
  runs: readonly TrackedRun[],
  mode: TrainerMode | undefined,
): RunVerdict {
  if (isConclusive(own)) return { run: own.state };
  const named = runs.filter((run) => run.id !== own.id && isNamed(run, own));
  const claims = claimsOn(runs.filter(isResult), own, named, mode);
  const mine = claims.filter(({ by }) => by.has(own.id));
  const [first] = mine;
  if (mine.length === 1 && first !== undefined && first.by.size === 1)
    return { run: first.result.state, result: first.result };
  if (own.state === "failed" && !isDoubtful(own, named)) return { run: "failed", isProvisional: true };
  const mayGoOn = mine.length === 0 || mine.some(({ result }) => result.state === "active");
  return { run: mayGoOn ? "active" : "ambiguous" };
}

/** Whether a run has ended in a way that nothing else can put in doubt. */
export function isConclusive(run: TrackedRun): boolean {
  return run.state === "succeeded" || (run.state === "failed" && errorsOf(run.tags).length > 0);
}

/** What a run says went wrong: one text, or several under numbered tags. */
export function errorsOf(tags: TrackedRun["tags"]): readonly string[] {
  const { exception } = tags;
  if (exception !== undefined) return [exception];
  return Object.entries(tags)
    .flatMap(([name, text]) => {
      const number = /^exception_(\d+)$/.exec(name)?.[1];
      return number === undefined ? [] : [{ number: Number(number), text }];
    })
    .sort((one, other) => one.number - other.number)
    .map(({ text }) => text);
}

/**
 * Whether other work that may be on the server of `own` was at it before and still is. What began after `own` shows
 * in `own` itself, which is then marked as failed.
 */
export function hasEarlierWork(own: TrackedRun, runs: readonly TrackedRun[]): boolean {
  const named = runs.filter((run) => run.id !== own.id && isNamed(run, own));
  const places = experimentsOf(own, named);
  return runs.some((run) => {
    if (run.id === own.id || run.state !== "active" || startOf(run) >= startOf(own)) return false;
    return isResult(run) ? isIn(run, own, places) : onHostOf(own, run) === true;
  });
}

interface Claim {
  readonly result: TrackedRun;
  /** Who may have begun it, by the ids of their runs. */
  readonly by: Set<string>;
}

/** Who may have begun which of the results, once what is certain has been drawn from it. */
function claimsOn(
  results: readonly TrackedRun[],
  own: TrackedRun,
  named: readonly TrackedRun[],
  mode: TrainerMode | undefined,
): readonly Claim[] {
  const all = [own, ...named];
  const claimants = all.filter((run) => !isConclusive(run));
  const claims = results.map((result): Claim => {
    const by = claimants.filter((run) => mayHaveBegun(run, result, all, run === own ? mode : undefined));
    return { result, by: new Set(by.map((run) => run.id)) };
  });
  for (let hasChanged = true; hasChanged; ) {
    hasChanged = false;
    for (const { by } of claims) {
      const [owner] = by;
      if (by.size !== 1 || owner === undefined) continue;
      // It has its result, so what others may have begun as well is theirs.
      for (const other of claims) if (other.by.size > 1 && other.by.delete(owner)) hasChanged = true;
    }
  }
  return claims;
}

function mayHaveBegun(
  run: TrackedRun,
  result: TrackedRun,
  all: readonly TrackedRun[],
  mode: TrainerMode | undefined,
): boolean {
  const others = all.filter((other) => other !== run);
  const startedAtMs = startOf(result);
  if (startedAtMs < startOf(run)) return false;
  if (run.endedAtMs !== undefined && startedAtMs > run.endedAtMs + SAME_MOMENT_MS) return false;
  const hasNext = others.some(
    (other) =>
      onHostOf(run, other) === true && startOf(other) > startOf(run) && startOf(other) <= startedAtMs,
  );
  const said = result.tags[MODE_TAG];
  if (hasNext || (mode !== undefined && said !== undefined && said !== mode)) return false;
  return isIn(result, run, experimentsOf(run, others));
}

/** Whether a result is where one of `run` may be. */
function isIn(result: TrackedRun, run: TrackedRun, experiments: ReadonlySet<string>): boolean {
  if (experiments.has(result.experimentId)) return true;
  const model = modelOf(run);
  return model !== undefined && modelOf(result) === model;
}

/** Where a server puts its runs: an earlier training's experiment may be the client's current one. */
function experimentsOf(run: TrackedRun, others: readonly TrackedRun[]): ReadonlySet<string> {
  const siblings = others.filter((other) => onHostOf(run, other) === true);
  return new Set([DEFAULT_EXPERIMENT, run.experimentId, ...siblings.map((other) => other.experimentId)]);
}

/** The model that an experiment is named after: a CMS appends the kind of training. */
function modelOf({ experimentName }: TrackedRun): string | undefined {
  const model = experimentName?.replace(/_(?:meta_|un)?supervised$/, "");
  return model === experimentName ? undefined : model;
}

/** A run that a server named when it accepted a training, as far as it matters to the one of `own`. */
function isNamed(run: TrackedRun, own: TrackedRun): boolean {
  if (NAMED_TAG in run.tags) return true;
  return !INVENTED.test(run.name ?? "") && run.experimentId === own.experimentId;
}

/** A run that an MLflow client opened by itself for a training. */
function isResult(run: TrackedRun): boolean {
  if (NAMED_TAG in run.tags || !INVENTED.test(run.name ?? "")) return false;
  // Anybody's runs are there.
  if (run.experimentId !== DEFAULT_EXPERIMENT) return true;
  return Object.keys(run.tags).some((tag) => tag.startsWith("training.") || tag.startsWith("exception"));
}

/** Whether a run that is said to have failed ended at the moment at which another began on its server. */
function isDoubtful(own: TrackedRun, named: readonly TrackedRun[]): boolean {
  const { endedAtMs } = own;
  if (endedAtMs === undefined) return false;
  return named.some(
    (run) => onHostOf(own, run) !== false && Math.abs(startOf(run) - endedAtMs) <= SAME_MOMENT_MS,
  );
}

/**
 * Whether two runs were opened by one server; `undefined` where they do not say. Each server has one model, and servers
 * of several may share a host.
 */
function onHostOf(one: TrackedRun, other: TrackedRun): boolean | undefined {
  const [model, otherModel] = [modelOf(one), modelOf(other)];
  if (model !== undefined && otherModel !== undefined && model !== otherModel) return false;
  const host = one.tags[HOST_TAG];
  const otherHost = other.tags[HOST_TAG];
  return host === undefined || otherHost === undefined ? undefined : host === otherHost;
}

function startOf(run: TrackedRun): number {
  return run.startedAtMs ?? Number.NEGATIVE_INFINITY;
}
