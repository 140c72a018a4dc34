import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { BringsTasks } from "@modelgate/adapters-storage/postgres";
import {
  composeLedger,
  type Ledger,
  type ObjectStore,
  type OperationOptions,
  type RecordStore,
  type TaskStore,
  type Wakeups,
} from "@modelgate/core";
import type { Log } from "../log.ts";
import { queueKind, wakeupsKind } from "../settings/brokers.ts";
import type { Settings } from "../settings/settings.ts";
import { explained } from "./explained.ts";
import { type Brokers, openBrokers } from "./open-broker.ts";
import { postgresOptions } from "./postgres-options.ts";
import { s3Options } from "./s3-options.ts";
import { type WatchedQueue, watchQueue } from "./watched-queue.ts";

/** The backends that the settings name. */
export interface Stores {
  readonly ledger: Ledger;
  /** The store's own, beside which no other ledger is used but that of a broker's queue. */
  readonly ownLedger: Ledger & BringsTasks;
  /** Absent where the store keeps the order itself. */
  readonly queue?: WatchedQueue | undefined;
  readonly records: RecordStore;
  readonly wakeups: Wakeups | undefined;
  readonly objects: ObjectStore;
  /** Ends uploads that nobody completes any more; absent where there are none. */
  readonly sweepUploads?: ((options: UploadSweepOptions) => Promise<UploadSweep>) | undefined;
  close(): Promise<void>;
}

interface UploadSweepOptions extends OperationOptions {
  readonly minAgeMs?: number | undefined;
  readonly dryRun?: boolean | undefined;
}

/** Counts of uploads. */
export interface UploadSweep {
  readonly leftOver: number;
  readonly ended: number;
}

type Objects = Pick<Stores, "objects" | "sweepUploads">;

/** Opens the backends that the settings name; what is on the network is not asked yet. Throws `CommandError`. */
export async function openStores(settings: Settings, log: Pick<Log, "warn">): Promise<Stores> {
  if (isLocal(settings)) await mkdir(settings.dataDir, { recursive: true, mode: 0o700 });
  const opened: { close(): Promise<void> }[] = [];
  /** What was opened last, first: it uses what was opened before. */
  const close = async (): Promise<void> => {
    const failures: unknown[] = [];
    for (const each of opened.splice(0).reverse())
      await each.close().catch((error: unknown) => failures.push(error));
    if (failures.length > 0) throw failures[0];
  };
  try {
    const tasks = await openTasks(settings);
    opened.push(tasks);
    const stored = await openObjects(settings);
    opened.push(stored.objects);
    const brokers = await openBrokers(settings, log);
    opened.push(...brokers.values());
    const ordered = orderedBy(brokers, settings, tasks);
    opened.push(ordered.ledger);
    const wakeups = wakeupsOf(brokers, settings, tasks);
    return { records: tasks.records, ownLedger: tasks.ledger, ...ordered, wakeups, ...stored, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** The ledger: the store's own, or one of the store's tasks in the order of a broker. */
function orderedBy(
  brokers: Brokers,
  settings: Settings,
  { ledger, tasks }: OpenTasks,
): Pick<Stores, "ledger" | "queue"> {
  const kind = queueKind(settings);
  const broker = kind && brokers.get(kind);
  if (kind === undefined || broker === undefined) return { ledger };
  const queue = watchQueue(broker.queue, { kind });
  return { ledger: composeLedger(tasks, queue.queue, { queueTimeoutMs: queueTimeoutMs(settings) }), queue };
}

/** A runner waits a third of its lease for an exchange, in which a queue that hangs must leave time for the store. */
function queueTimeoutMs({ leaseMs }: Settings): number {
  return Math.max(100, Math.min(2_000, leaseMs / 6));
}

function wakeupsOf(brokers: Brokers, settings: Settings, { wakeups }: OpenTasks): Wakeups | undefined {
  const kind = wakeupsKind(settings);
  if (kind === "none") return undefined;
  return kind === "postgres" ? wakeups : brokers.get(kind)?.wakeups;
}

/** Whether anything is kept in the data directory. */
export function isLocal({ store, objects }: Settings): boolean {
  return store === "sqlite" || objects === "filesystem";
}

export function objectsDirectory({ dataDir }: Settings): string {
  return join(dataDir, "objects");
}

/** What keeps tasks. */
interface OpenTasks {
  readonly ledger: Ledger & BringsTasks;
  readonly tasks: TaskStore;
  readonly records: RecordStore;
  readonly wakeups?: Wakeups | undefined;
  close(): Promise<void>;
}

async function openTasks(settings: Settings): Promise<OpenTasks> {
  if (settings.store === "sqlite") {
    const { sqliteStore } = await import("@modelgate/adapters-storage/sqlite");
    return sqliteStore({ directory: settings.dataDir });
  }
  const options = postgresOptions(settings);
  const { postgresStore } = await import("@modelgate/adapters-storage/postgres");
  return explained("postgres", settings, () => postgresStore(options));
}

async function openObjects(settings: Settings): Promise<Objects> {
  if (settings.objects === "filesystem") {
    const { filesystemObjectStore } = await import("@modelgate/adapters-storage/filesystem");
    return { objects: filesystemObjectStore({ directory: objectsDirectory(settings) }) };
  }
  const options = s3Options(settings);
  const { s3ObjectStore, sweepS3Uploads } = await import("@modelgate/adapters-storage/s3");
  return {
    objects: explained("s3", settings, () => s3ObjectStore(options)),
    sweepUploads: (sweep) => sweepS3Uploads(options, sweep),
  };
}
