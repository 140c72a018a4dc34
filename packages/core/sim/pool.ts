import { Worker } from "node:worker_threads";
import type { LedgerKind } from "./scenario.ts";
import type { SeedOrder, SeedReport } from "./worker.ts";

export interface PoolOptions {
  /** The bundled worker. */
  readonly worker: string;
  readonly jobs: number;
  readonly ledgers: readonly LedgerKind[];
  readonly planted?: string | undefined;
  /** The next seeds, or `undefined` when there are no more. */
  readonly next: () => readonly number[] | undefined;
  /** Resolves `false` to stop. */
  readonly onReport: (report: SeedReport) => boolean;
}

/** Has seeds run by several threads until there are no more or somebody has seen enough. */
export async function runPool(options: PoolOptions): Promise<void> {
  const { worker, jobs, ledgers, planted, next, onReport } = options;
  let isOver = false;
  const work = (): Promise<void> =>
    new Promise((resolve, reject) => {
      const thread = new Worker(worker, {
        workerData: { planted },
        // Worlds are made and thrown away; a roomy nursery spares most of the collecting.
        resourceLimits: { maxYoungGenerationSizeMb: 128 },
      });
      const finish = (): void => {
        void thread.terminate().then(() => resolve());
      };
      const give = (): void => {
        const seeds = isOver ? undefined : next();
        if (seeds === undefined) finish();
        else thread.postMessage({ seeds, ledgers } satisfies SeedOrder);
      };
      thread.on("message", (reports: readonly SeedReport[]) => {
        for (const report of reports) if (!isOver && !onReport(report)) isOver = true;
        give();
      });
      thread.on("error", reject);
      give();
    });
  await Promise.all(Array.from({ length: jobs }, work));
}

/** Hands out the seeds from `from` on, a few at a time, at most `count`. */
export function seedsFrom(from: number, count: number, chunk: number): () => readonly number[] | undefined {
  let at = 0;
  return () => {
    if (at >= count) return undefined;
    const size = Math.min(chunk, count - at);
    const seeds = Array.from({ length: size }, (_, offset) => from + at + offset);
    at += size;
    return seeds;
  };
}
