import { systemClock } from "../clock.ts";
import type { Clock } from "../contracts/clock.ts";
import type { OperationOptions } from "../contracts/common.ts";
import type { Ledger } from "../contracts/ledger.ts";
import type { ObjectStat, ObjectStore } from "../contracts/object-store.ts";
import type { TaskRecord } from "../contracts/task.ts";
import { GatewayError } from "../errors.ts";
import { isTerminal } from "../tasks/task-state.ts";

export interface SweepObjectsOptions extends OperationOptions {
  /** Whose rows name objects. */
  readonly ledger: Pick<Ledger, "get">;
  /** What is searched. */
  readonly objects: Pick<ObjectStore, "list" | "delete">;
  /**
   * Younger objects are left alone: they are written before the row that names them. Default 24 h, at least one hour;
   * it must exceed the time between an upload's end and the end of the slowest upload of the same batch.
   */
  readonly minAgeMs?: number | undefined;
  /** Deletes nothing. Default `false`. */
  readonly dryRun?: boolean | undefined;
  /** Default: the host's time. */
  readonly clock?: Clock | undefined;
  /** Each object that no row names, before it is deleted. */
  readonly onUnreferenced?: ((object: ObjectStat) => void) | undefined;
  /** After each page. */
  readonly onProgress?: ((report: SweepObjectsReport) => void) | undefined;
}

/** Counts of objects. */
export interface SweepObjectsReport {
  readonly examined: number;
  /** A row names them, an attempt that goes on may be about to, or they are not of the gateway's making. */
  readonly named: number;
  /** Younger than `minAgeMs`; nobody was asked about them. */
  readonly young: number;
  readonly unreferenced: number;
  readonly unreferencedBytes: number;
  readonly deleted: number;
}

const HOUR_MS = 3_600_000;
const KEY = /^(payloads|results)\/([\w-]{1,128})\/([\w-]+)$/;
const GET_BATCH = 500;

/**
 * Finds the payloads and results that no row names, as a crash between two writes leaves them, and deletes them. Safe
 * beside running gateways and beside itself. Objects whose keys are not of the gateway's making are not touched.
 * Rejects `INVALID_OPTIONS` and the codes of the stores.
 */
export async function sweepObjects(options: SweepObjectsOptions): Promise<SweepObjectsReport> {
  const { objects, dryRun = false, onUnreferenced, onProgress, signal } = options;
  const { minAgeMs = 24 * HOUR_MS, clock = systemClock } = options;
  if (!(minAgeMs >= HOUR_MS)) {
    throw new GatewayError("INVALID_OPTIONS", `minAgeMs must be at least ${HOUR_MS}; it is ${minAgeMs}`, {
      details: { field: "minAgeMs" },
    });
  }
  const report = { examined: 0, named: 0, young: 0, unreferenced: 0, unreferencedBytes: 0, deleted: 0 };
  for (const prefix of ["payloads/", "results/"]) {
    let cursor: string | undefined;
    do {
      const page = await objects.list(prefix, cursor, { signal });
      const old = page.items.filter((object) => clock.now() - object.modifiedAtMs >= minAgeMs);
      const unreferenced = await findUnreferenced(old, options);
      report.examined += page.items.length;
      report.young += page.items.length - old.length;
      report.named += old.length - unreferenced.length;
      report.unreferenced += unreferenced.length;
      for (const object of unreferenced) {
        report.unreferencedBytes += object.sizeBytes;
        onUnreferenced?.(object);
      }
      if (!dryRun && unreferenced.length > 0) {
        await objects.delete(
          unreferenced.map(({ key }) => key),
          { signal },
        );
        report.deleted += unreferenced.length;
      }
      onProgress?.({ ...report });
      cursor = page.nextCursor;
    } while (cursor !== undefined);
  }
  return report;
}

async function findUnreferenced(
  candidates: readonly ObjectStat[],
  { ledger, signal }: SweepObjectsOptions,
): Promise<ObjectStat[]> {
  const found: ObjectStat[] = [];
  for (let at = 0; at < candidates.length; at += GET_BATCH) {
    const owned = candidates.slice(at, at + GET_BATCH).flatMap((object) => {
      const [, kind, id, part] = KEY.exec(object.key) ?? [];
      return kind === undefined || id === undefined || part === undefined ? [] : [{ object, kind, id, part }];
    });
    if (owned.length === 0) continue;
    const ids = [...new Set(owned.map(({ id }) => id))];
    const tasks = await ledger.get(ids, { signal });
    const byId = new Map(ids.map((id, index) => [id, tasks[index]]));
    for (const { object, kind, id, part } of owned) {
      const task = byId.get(id);
      const isNamed =
        task !== undefined &&
        (kind === "payloads" ? namesPayload(task, object) : namesResult(task, object, part));
      if (!isNamed) found.push(object);
    }
  }
  return found;
}

function namesPayload(task: TaskRecord, { key }: ObjectStat): boolean {
  return task.payload.key === key;
}

/** The current attempt, and any that follows, may have stored what it has not named yet. */
function namesResult(task: TaskRecord, { key }: ObjectStat, attempt: string): boolean {
  if (task.result?.key === key) return true;
  return !isTerminal(task.state) && !(Number(attempt) < task.attempt);
}
