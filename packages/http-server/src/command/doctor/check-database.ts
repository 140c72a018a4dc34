import { stat } from "node:fs/promises";
import { join } from "node:path";
import { printable } from "../output/printable.ts";
import { sizeText } from "../output/size-text.ts";
import { type Finding, fail, ok, warn } from "./finding.ts";
import { holdersOf } from "./holders-of.ts";
import { type DatabaseView, readDatabase } from "./read-database.ts";

const CHECK = "database";
const FILE = "modelgate.db";
/** A larger one takes long to read through. */
const LARGE_BYTES = 512 * 1024 ** 2;
/** The log is written back at 16 MiB; one that cannot be is held by a reader that never ends. */
const LONG_LOG_BYTES = 512 * 1024 ** 2;

export interface DatabaseOptions {
  readonly dataDir: string;
  /** On the same file system, for a new database. */
  readonly trial: string;
  /** Read through a large database too. */
  readonly isFull: boolean;
}

export async function checkDatabase({ dataDir, trial, isFull }: DatabaseOptions): Promise<Finding[]> {
  let own: DatabaseView;
  try {
    own = await readNewDatabase(trial);
  } catch (error) {
    const hint = "install the packages again on this machine, and keep the data on a local disk";
    return [fail(CHECK, `SQLite cannot be used (${reasonOf(error)})`, hint)];
  }
  const path = join(dataDir, FILE);
  const found = await stat(path).catch(() => undefined);
  if (found === undefined || found.size === 0) {
    return [ok(CHECK, `SQLite works; there is no ${FILE} yet, the first start makes it`)];
  }
  const isRead = isFull || found.size <= LARGE_BYTES;
  try {
    const seen = readDatabase(path, isRead);
    return [
      checkVersion(seen, own),
      isRead
        ? checkFaults(seen)
        : warn(CHECK, `${sizeText(found.size)} were not read through`, "modelgate doctor --full does"),
      ...(await checkLog(path)),
      await tellHolders(path),
    ];
  } catch (error) {
    const hint = "restore it from a backup, or give another --data-dir";
    return [fail(CHECK, `${path} cannot be read (${reasonOf(error)})`, hint)];
  }
}

/** A database as this release makes it tells that the engine works, and which version of the schema it writes. */
async function readNewDatabase(trial: string): Promise<DatabaseView> {
  const { sqliteStore } = await import("@modelgate/adapters-storage/sqlite");
  const directory = join(trial, "database");
  const store = sqliteStore({ directory });
  try {
    await store.ledger.stats();
  } finally {
    await store.close();
  }
  return readDatabase(join(directory, FILE), false);
}

function checkVersion(seen: DatabaseView, own: DatabaseView): Finding {
  if (seen.applicationId !== own.applicationId) {
    return fail(CHECK, `${FILE} is a database of something else`, "give another --data-dir");
  }
  const text = `schema version ${seen.version}`;
  if (seen.version > own.version) {
    return fail(
      CHECK,
      `${text} is newer than the ${own.version} of this release`,
      "use the release that wrote it",
    );
  }
  if (seen.version < own.version) {
    return warn(
      CHECK,
      `${text}, and this release writes ${own.version}`,
      "make a copy; the next start brings it up to date",
    );
  }
  return ok(CHECK, text);
}

function checkFaults({ faults = [] }: DatabaseView): Finding {
  const [first] = faults;
  if (first === undefined) return ok(CHECK, "nothing in it is broken");
  return fail(CHECK, `it is broken: ${printable(first)}`, "stop the gateway, and restore it from a backup");
}

async function checkLog(path: string): Promise<Finding[]> {
  const log = await stat(`${path}-wal`).catch(() => undefined);
  if (log === undefined || log.size <= LONG_LOG_BYTES) return [];
  const text = `its log has grown to ${sizeText(log.size)}`;
  return [
    warn(CHECK, text, "end what reads the database without an end, such as a sqlite3 that is left open"),
  ];
}

async function tellHolders(path: string): Promise<Finding> {
  const holders = await holdersOf(path);
  if (holders === undefined) return ok(CHECK, "who else has it open cannot be told on this system");
  if (holders.length === 0) return ok(CHECK, "nobody else has it open");
  const names = holders.map(({ pid, program }) => `${pid} (${printable(program)})`);
  return ok(CHECK, `it is open in process ${names.join(", ")}`);
}

/** Codes, and the sentences of SQLite, which quote no data. */
function reasonOf(error: unknown): string {
  return error instanceof Error ? printable(error.message).slice(0, 200) : "unknown error";
}
