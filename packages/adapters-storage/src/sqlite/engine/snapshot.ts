import { closeSync, fsyncSync, mkdirSync, openSync, renameSync, rmSync, statSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { GatewayError } from "@modelgate/core";
import { type DriverName, openDriver } from "../driver.ts";
import { APPLICATION_ID } from "../schema.ts";
import { toGatewayError } from "../sqlite-error.ts";
import { toWireError, type WireError } from "../wire.ts";
import { whenFree } from "./fair-lock.ts";
import { FILE_NAME } from "./open-database.ts";

/** Only the very first look at a database may have to wait; reading never does. */
const BUSY_MS = 10_000;

export interface SnapshotOptions {
  readonly directory: string;
  /** The directory of the copy, which is made if it is not there. */
  readonly target: string;
  readonly driver?: DriverName | undefined;
}

export type SnapshotReply = { readonly sizeBytes: number } | { readonly error: WireError };

/**
 * Writes the database as it is at one moment beside the place where it is to be, and puts it there once it is on disk.
 * What is written meanwhile is not in it, and waits for nothing.
 */
export function writeSnapshot({ directory, target, driver }: SnapshotOptions): SnapshotReply {
  const place = join(resolve(target), FILE_NAME);
  const unfinished = `${place}.unfinished`;
  try {
    mkdirSync(resolve(target), { recursive: true, mode: 0o700 });
    rmSync(unfinished, { force: true });
    // Its rights are those that SQLite finds.
    closeSync(openSync(unfinished, "wx", 0o600));
    copyDatabase(join(resolve(directory), FILE_NAME), unfinished, driver);
    sync(unfinished);
    // The log of an earlier copy that was opened would be taken for this one's.
    for (const part of ["-wal", "-shm"]) rmSync(`${place}${part}`, { force: true });
    renameSync(unfinished, place);
    sync(dirname(place), "r");
    return { sizeBytes: statSync(place).size };
  } catch (error) {
    rmSync(unfinished, { force: true });
    return { error: toWireError(toGatewayError(error)) };
  }
}

function copyDatabase(from: string, to: string, driver: DriverName | undefined): void {
  // SQLite would make one.
  statSync(from);
  const db = openDriver(from, driver);
  try {
    whenFree(BUSY_MS, () => {
      if (db.sql("PRAGMA application_id").get([])?.[0] === APPLICATION_ID) return;
      const message = "modelgate.db is not the database of a gateway; nothing was copied";
      throw new GatewayError("STORE_UNAVAILABLE", message);
    });
    db.sql("VACUUM INTO ?").run([to]);
  } finally {
    db.close();
  }
}

/** A folder can be synced by a handle for reading; on Windows it cannot be at all, and a file needs one for writing. */
function sync(path: string, flags: "r" | "r+" = "r+"): void {
  if (flags === "r" && process.platform === "win32") return;
  const handle = openSync(path, flags);
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}
