import { Worker } from "node:worker_threads";
import { GatewayError } from "@modelgate/core";
import { type DriverName, requireDriverName } from "./driver.ts";
import type { SnapshotReply } from "./engine/snapshot.ts";
import { fromWireError } from "./wire.ts";
import { workerFile } from "./worker-file.ts";

export interface SqliteBackupOptions {
  /** Where `modelgate.db` is. Any number of processes may have it open. */
  readonly directory: string;
  /** Where the copy is to be: made if it is not there; a copy that is there is replaced once the new one is whole. */
  readonly target: string;
  /** As for `sqliteStore`. */
  readonly driver?: DriverName | undefined;
}

/**
 * Copies the database of a store as it is at one moment, while others use it, in a thread of its own. Objects are not in
 * it: copy them afterwards, so that everything that the copy names is there. The target is a store's directory like any.
 *
 * Rejects `INVALID_OPTIONS`, `STORE_UNAVAILABLE`, `STORE_FULL` and `STORE_READ_ONLY`.
 */
export async function backupSqlite(options: SqliteBackupOptions): Promise<{ readonly sizeBytes: number }> {
  for (const field of ["directory", "target"] as const) {
    const path: unknown = options[field];
    if (typeof path !== "string" || path === "" || path.includes("\0"))
      throw new GatewayError("INVALID_OPTIONS", `${field} must be a path`, { details: { field } });
  }
  const { directory, target } = options;
  const driver = requireDriverName(options.driver ?? process.env["MODELGATE_SQLITE_DRIVER"]);
  const worker = new Worker(workerFile(), {
    workerData: { directory, target, driver },
    name: "modelgate-backup",
    execArgv: [],
  });
  const reply = await new Promise<SnapshotReply>((resolve, reject) => {
    worker.once("message", resolve);
    worker.once("error", reject);
    worker.once("exit", () => reject(new GatewayError("ADAPTER_FAILED", "the backup ended by itself")));
  });
  if ("error" in reply) throw fromWireError(reply.error);
  return reply;
}
