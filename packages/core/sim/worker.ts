import { parentPort, workerData } from "node:worker_threads";
import type { Violation } from "../src/testing/checker/index.ts";
import { plantedFault, wrapOf } from "./planted/index.ts";
import type { RunCounts } from "./recorder.ts";
import type { LedgerKind } from "./scenario.ts";
import { printTimeline, sliceFor } from "./timeline.ts";
import { runSeed } from "./world.ts";

/** What a worker is told to do. */
export interface SeedOrder {
  readonly seeds: readonly number[];
  readonly ledgers: readonly LedgerKind[];
}

/** What one world came to. */
export interface SeedReport {
  readonly seed: number;
  readonly ledger: LedgerKind;
  readonly counts: RunCounts;
  readonly events: number;
  readonly virtualMs: number;
  readonly violations: readonly Violation[];
  /** What led to the first violation, as text. */
  readonly story?: string | undefined;
  /** The run itself failed. */
  readonly crash?: string | undefined;
}

const STORY_EVENTS = 40;

async function report(seed: number, ledger: LedgerKind, planted: string | undefined): Promise<SeedReport> {
  try {
    const fault = planted === undefined ? undefined : plantedFault(planted);
    const { history, violations, counts, virtualMs } = await runSeed(seed, ledger, wrapOf(fault));
    const [first] = violations;
    const story = first === undefined ? undefined : printTimeline(sliceFor(history, first, STORY_EVENTS));
    return {
      seed,
      ledger,
      counts,
      events: history.length,
      virtualMs,
      violations: violations.slice(0, 20),
      story,
    };
  } catch (error) {
    const crash = error instanceof Error ? (error.stack ?? error.message) : String(error);
    return {
      seed,
      ledger,
      counts: { faults: {}, faultsInAttempt: {}, crashed: {} },
      events: 0,
      virtualMs: 0,
      violations: [],
      crash,
    };
  }
}

parentPort?.on("message", async ({ seeds, ledgers }: SeedOrder) => {
  const planted = (workerData as { readonly planted?: string | undefined }).planted;
  const reports: SeedReport[] = [];
  for (const seed of seeds) for (const ledger of ledgers) reports.push(await report(seed, ledger, planted));
  parentPort?.postMessage(reports);
});
