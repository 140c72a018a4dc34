import type { SweepObjectsReport, TaskRecord } from "@modelgate/core";
import type { HistoryEvent } from "../../../core/src/testing/checker/index.ts";
import type { ServerNote } from "./model-server.ts";
import type { Recorder } from "./recorder.ts";

export interface ChaosReport {
  readonly seed: number;
  readonly accepted: number;
  readonly states: Readonly<Record<string, number>>;
  /** By the code of the error. */
  readonly failures: Readonly<Record<string, number>>;
  readonly attempts: number;
  /** Calls of model servers that were made more than once for one task. */
  readonly sentAgain: number;
  /** The most calls that one model server saw at once. */
  readonly peak: number;
  readonly events: number;
  readonly counts: Readonly<Record<string, number>>;
  readonly swept: SweepObjectsReport;
  readonly violations: readonly string[];
  /** Tasks of which it is not yet certain whether a model server got them; each has its time limit still before it. */
  readonly looksInto: number;
}

interface ReportOptions {
  readonly options: { readonly seed: number; readonly tasks: number };
  readonly rows: readonly TaskRecord[];
  readonly history: readonly HistoryEvent[];
  readonly accepted: number;
  readonly swept: SweepObjectsReport;
  readonly recorder: Recorder;
  readonly violations: readonly string[];
  readonly looksInto: number;
  readonly notes: ReadonlyMap<string, readonly ServerNote[]>;
  readonly resets: number;
}

export function reportOf(told: ReportOptions): ChaosReport {
  const { options, rows, history, accepted, swept, recorder, looksInto, notes } = told;
  const begun = [...notes.values()].flat().filter((note) => note.kind === "begun");
  const sends = countBy(begun.map(({ nonce }) => nonce));
  const ended = rows.filter(({ state }) => state === "failed");
  recorder.count("connections reset", told.resets);
  const violations = [...told.violations, ...recorder.complaints];
  if (accepted < options.tasks) violations.push(`only ${accepted} of ${options.tasks} tasks were accepted`);
  return {
    ...{ seed: options.seed, accepted, swept, looksInto, violations },
    states: countBy(rows.map(({ state }) => state)),
    failures: countBy(ended.map(({ error, operation }) => `${error?.code} of ${operation}`)),
    attempts: rows.reduce((sum, { attempt }) => sum + attempt, 0),
    sentAgain: Object.values(sends).reduce((sum, count) => sum + count - 1, 0),
    peak: begun.reduce((most, { inFlight }) => Math.max(most, inFlight), 0),
    events: history.length,
    counts: Object.fromEntries([...recorder.counts].sort(([a], [b]) => a.localeCompare(b))),
  };
}

function countBy(names: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const name of names) counts[name] = (counts[name] ?? 0) + 1;
  return counts;
}
