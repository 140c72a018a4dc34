import type { JournalLine } from "./journal.ts";

/** A training that a gateway had acknowledged, and what was seen of it last. */
export interface Training {
  readonly id: string;
  /** What went wrong at its server meanwhile. */
  readonly round: string;
  /** Whether somebody asked for its end. */
  isCancelled: boolean;
  state: string;
  trackingId: string | null;
  error: string | null;
  /** The run that its document names. */
  documentRunId?: string | undefined;
}

export interface Evidence {
  readonly trainings: readonly Training[];
  /** The servers' own account. */
  readonly journal: readonly JournalLine[];
  /** Processes of servers that were killed. */
  readonly killed: ReadonlySet<number>;
  /** Trainings that were begun besides the gateways. */
  readonly strangers: ReadonlySet<string>;
  /** Rounds in which what became of a training may be for nobody to tell. */
  readonly mayBeUnknown: ReadonlySet<string>;
}

/** What the servers did for one task. */
interface Account {
  readonly begun: readonly JournalLine[];
  readonly ended: JournalLine | undefined;
  /** It was at work when its server was killed. */
  readonly isLost: boolean;
}

export const isUnknown = ({ state, error }: Training): boolean =>
  state === "failed" && /nobody can tell/.test(error ?? "");

/** What became of each task by its servers' own words. */
export function accountsOf({ journal, killed }: Pick<Evidence, "journal" | "killed">): Map<string, Account> {
  const accounts = new Map<string, Account>();
  for (const { tracking_id } of journal) {
    if (accounts.has(tracking_id)) continue;
    const own = journal.filter((line) => line.tracking_id === tracking_id);
    const begun = own.filter(({ event }) => event === "begun");
    const ended = own.find(({ event }) => event === "ended");
    const isLost = ended === undefined && begun.some(({ pid }) => killed.has(pid));
    accounts.set(tracking_id, { begun, ended, isLost });
  }
  return accounts;
}

/** Holds what gateways said of trainings against what the servers did. Each broken promise is a sentence. */
export function judgeTrainings(evidence: Evidence): readonly string[] {
  const { trainings, strangers } = evidence;
  const accounts = accountsOf(evidence);
  const ids = new Set(trainings.map(({ id }) => id));
  const violations = [...accounts.keys()]
    .filter((id) => !ids.has(id) && !strangers.has(id))
    .map((id) => `${id} was begun, and there is no such task`);
  for (const training of trainings) {
    const account = accounts.get(training.id) ?? { begun: [], ended: undefined, isLost: false };
    const found = [...runOnce(training, account), ...judgeEnding(training, account, evidence)];
    violations.push(...found.map((what) => `${training.round}: ${training.id} ${what}`));
  }
  return violations;
}

function* runOnce({ trackingId, documentRunId }: Training, { begun }: Account): Generator<string> {
  if (begun.length > 1) yield `was begun ${begun.length} times`;
  const run = begun[0]?.run_id;
  if (trackingId !== null && trackingId !== run)
    yield `has the tracking id ${trackingId}; its run was ${run}`;
  if (documentRunId !== undefined && documentRunId !== trackingId)
    yield `has a document of ${documentRunId}; its tracking id is ${trackingId}`;
}

function* judgeEnding(training: Training, account: Account, { mayBeUnknown }: Evidence): Generator<string> {
  const { state, round, isCancelled, error, documentRunId } = training;
  const { begun, ended, isLost } = account;
  const really = ended?.status ?? (isLost ? "lost" : begun.length > 0 ? "still at work" : "never begun");
  switch (state) {
    case "succeeded":
      if (really !== "FINISHED") yield `succeeded, and was ${really}`;
      if (documentRunId === undefined) yield "succeeded without a document";
      return;
    case "cancelled":
      if (!isCancelled) yield "was cancelled, and nobody had asked for it";
      return;
    case "failed":
      if (isUnknown(training)) {
        if (!mayBeUnknown.has(round)) yield `ended as unknown, and was ${really}`;
      } else if (!["FAILED", "KILLED", "lost"].includes(really) && !isRefused(training))
        yield `failed (${error}), and was ${really}`;
      return;
    default:
      yield `never ended: it is ${state}, and was ${really}`;
  }
}

/** An answer of 500 is final, whatever the server began before it. */
function isRefused({ error, round }: Training): boolean {
  return round === "fail-accept" && /refused the task with status 500/.test(error ?? "");
}
