import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { BringsTasks } from "@modelgate/adapters-storage/postgres";
import {
  GatewayError,
  type Ledger,
  type ObjectStore,
  type OperationOptions,
  type RecordStore,
  type Wakeups,
} from "@modelgate/core";
import { CommandError } from "../command-error.ts";
import { EXIT } from "../exit-codes.ts";
import type { Settings } from "../settings/settings.ts";
import { postgresOptions } from "./postgres-options.ts";
import { s3Options } from "./s3-options.ts";
import { type Backend, storeFailure } from "./store-failure.ts";

/** The backends that the settings name. */
export interface Stores {
  readonly ledger: Ledger & BringsTasks;
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
export async function openStores(settings: Settings): Promise<Stores> {
  if (isLocal(settings)) await mkdir(settings.dataDir, { recursive: true, mode: 0o700 });
  const tasks = await openTasks(settings);
  try {
    const stored = await openObjects(settings);
    return {
      ...tasks,
      ...stored,
      async close() {
        await Promise.all([tasks.close(), stored.objects.close()]);
      },
    };
  } catch (error) {
    await tasks.close();
    throw error;
  }
}

/** Whether anything is kept in the data directory. */
export function isLocal({ store, objects }: Settings): boolean {
  return store === "sqlite" || objects === "filesystem";
}

export function objectsDirectory({ dataDir }: Settings): string {
  return join(dataDir, "objects");
}

async function openTasks(settings: Settings): Promise<Omit<Stores, keyof Objects>> {
  if (settings.store === "sqlite") {
    const { sqliteStore } = await import("@modelgate/adapters-storage/sqlite");
    const store = sqliteStore({ directory: settings.dataDir });
    return { ledger: store.ledger, records: store.records, wakeups: undefined, close: () => store.close() };
  }
  const options = postgresOptions(settings);
  const { postgresStore } = await import("@modelgate/adapters-storage/postgres");
  const store = explained("postgres", settings, () => postgresStore(options));
  const wakeups = settings.wakeups === "none" ? undefined : store.wakeups;
  return { ledger: store.ledger, records: store.records, wakeups, close: () => store.close() };
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

/** What an adapter says of its options, with the names of the settings. */
function explained<T>(backend: Backend, settings: Settings, make: () => T): T {
  try {
    return make();
  } catch (error) {
    if (!GatewayError.is(error, "INVALID_OPTIONS")) throw error;
    throw new CommandError(EXIT.usage, `${storeFailure(error, backend, settings).text}.`);
  }
}
