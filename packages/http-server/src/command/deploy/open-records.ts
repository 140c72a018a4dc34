import { existsSync } from "node:fs";
import { join } from "node:path";
import { GatewayError, type RecordStore } from "@modelgate/core";
import type { Settings } from "../settings/settings.ts";
import { postgresOptions } from "../stores/postgres-options.ts";
import { backendOf, storeFailure } from "../stores/store-failure.ts";

export interface OpenRecords {
  readonly records: RecordStore;
  /** Why nothing is known of what is deployed already. */
  readonly problem: string | undefined;
  close(): Promise<void>;
}

/** The records of the store that the settings name, only to be read. A store that is not there yet is not made. */
export async function openRecords(settings: Settings): Promise<OpenRecords> {
  const store = await openStore(settings);
  try {
    await store?.records.get("installation");
    if (store !== undefined) return { ...store, problem: undefined };
  } catch (error) {
    await store?.close();
    if (!GatewayError.is(error)) throw error;
    const { text } = storeFailure(error, backendOf(error, settings), settings);
    return { ...(await noRecords()), problem: `what is deployed already is not known: ${text}` };
  }
  return { ...(await noRecords()), problem: undefined };
}

type Opened = Pick<OpenRecords, "records" | "close">;

async function openStore(settings: Settings): Promise<Opened | undefined> {
  if (settings.store === "postgres") {
    const { postgresStore } = await import("@modelgate/adapters-storage/postgres");
    const store = postgresStore({ ...postgresOptions(settings), migrate: false });
    return { records: store.records, close: () => store.close() };
  }
  const { dataDir: directory } = settings;
  if (!existsSync(join(directory, "modelgate.db"))) return undefined;
  const { sqliteStore } = await import("@modelgate/adapters-storage/sqlite");
  const store = sqliteStore({ directory });
  return { records: store.records, close: () => store.close() };
}

async function noRecords(): Promise<Opened> {
  const { memoryRecordStore } = await import("@modelgate/core/memory");
  const records = memoryRecordStore();
  return { records, close: () => records.close() };
}
