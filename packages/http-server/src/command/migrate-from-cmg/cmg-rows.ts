import type { ForeignRow } from "@modelgate/adapters-storage/postgres";

/** Of its table `task`. Texts that are not there are absent; older versions have fewer columns. */
export interface CmgTask {
  readonly id: string;
  readonly state: "pending" | "scheduled" | "running" | "succeeded" | "failed";
  readonly model: string;
  readonly operation: string;
  readonly source: string | undefined;
  /** Name of the object in its bucket of results. */
  readonly result: string | undefined;
  readonly errorMessage: string | undefined;
  /** The run in the tracker. */
  readonly runId: string | undefined;
  readonly createdAtMs: number;
  readonly startedAtMs: number | undefined;
  readonly finishedAtMs: number | undefined;
}

const STATES: Readonly<Record<string, CmgTask["state"]>> = {
  pending: "pending",
  // Of its first version, in place of going back to be pending.
  requeued: "pending",
  scheduled: "scheduled",
  running: "running",
  succeeded: "succeeded",
  failed: "failed",
};

/** Undefined for a row that no version of it writes. */
export function toTask(row: ForeignRow, nowMs: number): CmgTask | undefined {
  const id = textOf(row, "uuid");
  const state = STATES[(textOf(row, "status") ?? "").toLowerCase()];
  if (id === undefined || state === undefined) return undefined;
  const [startedAtMs, finishedAtMs] = [instantOf(row, "started_at"), instantOf(row, "finished_at")];
  return {
    ...{ id, state, startedAtMs, finishedAtMs },
    // Rows of its first version know neither.
    model: textOf(row, "model") ?? "unknown",
    operation: textOf(row, "type") ?? "unknown",
    source: textOf(row, "source"),
    result: textOf(row, "result"),
    errorMessage: textOf(row, "error_message"),
    runId: textOf(row, "tracking_id"),
    createdAtMs: instantOf(row, "created_at") ?? startedAtMs ?? finishedAtMs ?? nowMs,
  };
}

export function textOf(row: ForeignRow, column: string): string | undefined {
  const value = row[column];
  return typeof value === "string" && value !== "" ? value : undefined;
}

/** Its instants are texts with microseconds; what is kept here counts milliseconds. */
export function instantOf(row: ForeignRow, column: string): number | undefined {
  const atMs = Date.parse(textOf(row, column) ?? "");
  return Number.isNaN(atMs) ? undefined : atMs;
}

export function numberOf(row: ForeignRow, column: string): number | undefined {
  const value = row[column];
  return typeof value === "number" && Number.isFinite(value) ? value : undefined;
}
