import { appendFileSync } from "node:fs";
import type { TrainingEvent } from "./runs.ts";

/**
 * The server's own account of its trainings in a file, a line of JSON for each beginning and each end. A beginning is
 * written before anybody can be told of it, so that `kill -9` takes nothing away.
 */
export function journalTo(file: string): (event: TrainingEvent) => void {
  return ({ trackingId, runId, ...others }) => {
    const line = { at: Date.now(), pid: process.pid, tracking_id: trackingId, run_id: runId, ...others };
    appendFileSync(file, `${JSON.stringify(line)}\n`);
  };
}
