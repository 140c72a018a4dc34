import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type ObjectStore, type SweepObjectsReport, sweepObjects, type TaskRecord } from "@modelgate/core";
import type { HistoryFacts } from "../../../core/src/testing/checker/index.ts";
import { assembleHistory } from "./assemble-history.ts";
import { type Crew, MAX_FAILURES, MODEL } from "./crew.ts";
import { judgeHistory, orphansAmong, stillLookedInto } from "./judge.ts";
import type { Recorder } from "./recorder.ts";
import { type ChaosReport, reportOf } from "./report.ts";
import type { Stage } from "./stage.ts";

interface FinishedRun {
  readonly crew: Crew;
  readonly stage: Stage;
  readonly recorder: Recorder;
  /** How many tasks were accepted. */
  readonly accepted: number;
  readonly options: {
    readonly seed: number;
    readonly tasks: number;
    readonly leaseMs: number;
    readonly folder: string;
  };
}

/** Older than anything that is about to be named. */
const SWEEP_AHEAD_MS = 2 * 86_400_000;

/** Stories of tasks of which something was complained. */
const MOST_TOLD = 3;

/** Puts the history together once all has come to rest, holds it against what was promised, and keeps it. */
export async function conclude(run: FinishedRun): Promise<ChaosReport> {
  const { crew, stage, recorder, accepted, options } = run;
  const { watch, objects } = stage;
  const [rows, holds, keys] = await Promise.all([watch.tasks(), watch.holds(), listKeys(objects)]);
  const history = assembleHistory({
    ...{ clients: recorder.events, calls: crew.calls, breaks: crew.breaks, keys },
    ...{ changes: await watch.changes(), notes: await crew.readNotes() },
  });
  const facts = factsOf(crew, rows, holds, options);
  const judgement = judgeHistory(history, facts, rows, stillLookedInto(history, rows, crew.serverIds));
  recorder.say(`${history.length} events were judged`);
  for (const story of judgement.stories.slice(0, MOST_TOLD)) recorder.say(story);
  const missing = orphansAmong(keys, rows).filter((line) => line.includes("not there"));
  const swept = await sweep(objects, rows);
  const orphans = orphansAmong(await listKeys(objects), rows);
  await Promise.all([
    writeFile(
      join(options.folder, "history.ndjson"),
      history.map((event) => `${JSON.stringify(event)}\n`).join(""),
    ),
    writeFile(join(options.folder, "stories.txt"), judgement.stories.join("\n\n")),
  ]);
  return reportOf({
    ...{ options, rows, history, accepted, swept, recorder },
    violations: [...judgement.violations, ...new Set([...missing, ...orphans])],
    looksInto: judgement.looksInto,
    notes: await crew.readNotes(),
    resets: [...crew.modelLinks, ...stage.services.flatMap(({ links }) => links)].reduce(
      (sum, link) => sum + link.resets,
      0,
    ),
  });
}

/** As `modelgate sweep` does it, with every object old enough. */
function sweep(objects: ObjectStore, rows: readonly TaskRecord[]): Promise<SweepObjectsReport> {
  const byId = new Map(rows.map((task) => [task.id, task]));
  return sweepObjects({
    ledger: { get: async (ids) => ids.map((id) => byId.get(id)) },
    objects,
    clock: {
      now: () => Date.now() + SWEEP_AHEAD_MS,
      monotonic: () => performance.now(),
      after: () => () => {},
    },
  });
}

function factsOf(
  crew: Crew,
  rows: readonly TaskRecord[],
  holds: readonly { readonly server: string; readonly id: string }[],
  { leaseMs }: FinishedRun["options"],
): HistoryFacts {
  return {
    ...{ leaseMs, boostMs: 3_600_000, maxFailures: MAX_FAILURES, maxAttempts: 200 },
    limits: Object.fromEntries(crew.serverIds.map((id) => [id, crew.slots])),
    models: Object.fromEntries(crew.serverIds.map((id) => [id, [MODEL]])),
    // Rows tell what was granted, and not what was asked for.
    order: "queue",
    progressMs: Number.POSITIVE_INFINITY,
    unwritable: [],
    end: { rows, orphanHolds: holds },
  };
}

async function listKeys(objects: ObjectStore): Promise<string[]> {
  const keys: string[] = [];
  for (const prefix of ["payloads/", "results/"]) {
    let cursor: string | undefined;
    do {
      const page = await objects.list(prefix, cursor);
      keys.push(...page.items.map(({ key }) => key));
      cursor = page.nextCursor;
    } while (cursor !== undefined);
  }
  return keys;
}
