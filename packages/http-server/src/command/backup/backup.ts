import { stat } from "node:fs/promises";
import { join, relative, resolve, sep } from "node:path";
import { GatewayError, type ObjectStore } from "@modelgate/core";
import { CommandError } from "../command-error.ts";
import type { Call } from "../command-spec.ts";
import { EXIT } from "../exit-codes.ts";
import { endWithReader, tell, writeJson } from "../output/out.ts";
import { sizeText } from "../output/size-text.ts";
import type { Settings } from "../settings/settings.ts";
import { objectsDirectory } from "../stores/open-stores.ts";
import { UsageError } from "../usage-error.ts";
import { copyObjects, removeForgotten } from "./copy-objects.ts";

/**
 * Copies a data directory while gateways use it. Most objects are copied before the database and the rest after it, so
 * that all that the database names is there, also what is forgotten while this runs.
 */
export async function backup({ arguments: [target = ""], options, settings }: Call): Promise<number> {
  endWithReader();
  const asJson = options.has("json");
  await requireBackup(settings, target);
  const [{ filesystemObjectStore }, { backupSqlite }] = await Promise.all([
    import("@modelgate/adapters-storage/filesystem"),
    import("@modelgate/adapters-storage/sqlite"),
  ]);
  const interrupt = new AbortController();
  const onSignal = (): void => interrupt.abort();
  process.once("SIGINT", onSignal).once("SIGTERM", onSignal);
  const from = filesystemObjectStore({ directory: objectsDirectory(settings) });
  const to = filesystemObjectStore({ directory: join(target, "objects") });
  try {
    const report = await copyAll(
      { from, to },
      async () => {
        const { sizeBytes } = await backupSqlite({ directory: settings.dataDir, target });
        return sizeBytes;
      },
      interrupt.signal,
    );
    if (asJson) await writeJson({ target: resolve(target), ...report });
    else {
      const { databaseBytes, copied, copiedBytes, kept, removed } = report;
      const before = kept > 0 ? `, ${kept} were there already, ${removed} are not needed any more` : "";
      tell(
        `The database (${sizeText(databaseBytes)}) and ${copied} objects (${sizeText(copiedBytes)}) were copied to ${target}${before}.`,
      );
    }
    return EXIT.ok;
  } catch (error) {
    if (interrupt.signal.aborted) {
      tell("Stopped before the end; an earlier backup in this directory is as good as before.");
      return EXIT.interrupted;
    }
    if (!GatewayError.is(error)) throw error;
    throw new CommandError(EXIT.failed, `The backup to ${target} failed: ${error.message} (${error.code}).`);
  } finally {
    process.off("SIGINT", onSignal).off("SIGTERM", onSignal);
    await Promise.all([from.close(), to.close()]);
  }
}

interface Report {
  readonly databaseBytes: number;
  readonly copied: number;
  readonly copiedBytes: number;
  readonly kept: number;
  readonly removed: number;
}

async function copyAll(
  stores: { readonly from: ObjectStore; readonly to: ObjectStore },
  copyDatabase: () => Promise<number>,
  signal: AbortSignal,
): Promise<Report> {
  const beforeMs = Date.now();
  const first = await copyObjects(stores, { signal });
  const databaseBytes = await copyDatabase();
  signal.throwIfAborted();
  const second = await copyObjects(stores, { signal });
  const removed = await removeForgotten({ ...stores, beforeMs }, { signal });
  return {
    databaseBytes,
    copied: first.copied + second.copied,
    copiedBytes: first.copiedBytes + second.copiedBytes,
    kept: first.kept,
    removed,
  };
}

async function requireBackup(settings: Settings, target: string): Promise<void> {
  const { dataDir, store, objects } = settings;
  if (store !== "sqlite" || objects !== "filesystem") {
    const parts = [
      store === "postgres" ? "pg_dump for PostgreSQL" : "",
      objects === "s3" ? "a copy of the bucket" : "",
    ];
    throw new UsageError(
      `A backup by this command is of one data directory. Use ${parts.filter(Boolean).join(" and then ")}: see "Back up and restore" in the documentation.`,
    );
  }
  if ((await stat(join(dataDir, "modelgate.db")).catch(() => undefined)) === undefined) {
    throw new CommandError(
      EXIT.failed,
      `${dataDir} holds no data of a gateway; name its directory with --data-dir.`,
    );
  }
  if (isWithin(target, dataDir) || isWithin(dataDir, target))
    throw new UsageError(
      `The backup must lie outside of the data directory; ${target} and ${dataDir} do not.`,
    );
}

function isWithin(path: string, folder: string): boolean {
  const way = relative(resolve(folder), resolve(path));
  return way === "" || !(way === ".." || way.startsWith(`..${sep}`) || resolve(way) === way);
}
