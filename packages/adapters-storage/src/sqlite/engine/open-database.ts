import { closeSync, existsSync, fsyncSync, mkdirSync, openSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { GatewayError } from "@modelgate/core";
import { type Database, type DriverName, openDriver } from "../driver.ts";
import { APPLICATION_ID, MIGRATIONS, SCHEMA_VERSION } from "../schema.ts";
import { whenFree } from "./fair-lock.ts";

export const FILE_NAME = "modelgate.db";

/** Negative means KiB. What is kept in memory is bounded by this, however much waits. */
const CACHE_KIB = 16 * 1024;

/** What the log may keep on disk after it was written back. */
const LOG_BYTES = 32 * 1024 * 1024;

/** Pages that the log collects before it is written back. More than SQLite's 1,000: the same pages change again and again. */
const LOG_PAGES = 4000;

export interface OpenOptions {
  readonly directory: string;
  readonly busyTimeoutMs: number;
  readonly driver?: DriverName | undefined;
}

/** Opens the database of a directory and brings it to this version. A newer one is left as it is. */
export function openDatabase({ directory, busyTimeoutMs, driver }: OpenOptions): Database {
  const path = join(resolve(directory), FILE_NAME);
  makeFile(path);
  const db = openDriver(path, driver);
  try {
    whenFree(busyTimeoutMs, () => requireOurs(db));
    // Needs the file for itself, so that ten processes that open a new directory take turns.
    whenFree(busyTimeoutMs, () => db.sql("PRAGMA journal_mode = WAL").get([]));
    for (const pragma of [
      "synchronous = FULL",
      "secure_delete = ON",
      `cache_size = -${CACHE_KIB}`,
      "temp_store = MEMORY",
    ]) {
      db.exec(`PRAGMA ${pragma}`);
    }
    db.sql(`PRAGMA journal_size_limit = ${LOG_BYTES}`).get([]);
    db.sql(`PRAGMA wal_autocheckpoint = ${LOG_PAGES}`).get([]);
    migrate(db, busyTimeoutMs);
    return db;
  } catch (error) {
    db.close();
    throw error;
  }
}

/** SQLite gives its other files the rights of this one, and syncs the folder for those alone. */
function makeFile(path: string): void {
  const first = mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const isNew = !existsSync(path);
  closeSync(openSync(path, "a", 0o600));
  if (!isNew || process.platform === "win32") return;
  const last = first === undefined ? dirname(path) : dirname(first);
  for (let folder = dirname(path); ; folder = dirname(folder)) {
    const handle = openSync(folder, "r");
    fsyncSync(handle);
    closeSync(handle);
    if (folder === last) return;
  }
}

/** Reads before anything is written. */
function requireOurs(db: Database): number {
  const version = pragma(db, "user_version");
  if (version > SCHEMA_VERSION) {
    throw new GatewayError(
      "STORE_TOO_NEW",
      `modelgate.db has version ${version}, and this release knows up to ${SCHEMA_VERSION}; use the release that wrote it`,
      { details: { found: version, known: SCHEMA_VERSION } },
    );
  }
  const isOurs = pragma(db, "application_id") === APPLICATION_ID;
  if (isOurs || (version === 0 && db.sql("SELECT count(*) FROM sqlite_master").get([])?.[0] === 0))
    return version;
  throw new GatewayError(
    "STORE_UNAVAILABLE",
    "modelgate.db is a database of something else; give another directory",
  );
}

function migrate(db: Database, busyTimeoutMs: number): void {
  if (pragma(db, "user_version") === SCHEMA_VERSION) return;
  whenFree(busyTimeoutMs, () => db.exec("BEGIN IMMEDIATE"));
  try {
    // Read again under the lock: another process may have been first.
    for (const step of MIGRATIONS.slice(requireOurs(db))) db.exec(step);
    db.exec(`PRAGMA application_id = ${APPLICATION_ID}; PRAGMA user_version = ${SCHEMA_VERSION}`);
    db.exec("COMMIT");
  } catch (error) {
    try {
      db.exec("ROLLBACK");
    } catch {
      // SQLite has ended the transaction itself.
    }
    throw error;
  }
}

function pragma(db: Database, name: string): number {
  return db.sql(`PRAGMA ${name}`).get([])?.[0] as number;
}
