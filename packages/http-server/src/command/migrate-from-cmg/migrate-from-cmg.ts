import { existsSync } from "node:fs";
import { join } from "node:path";
import { cmsProtocol, GatewayError } from "@modelgate/core";
import { CommandError } from "../command-error.ts";
import type { Call } from "../command-spec.ts";
import { EXIT } from "../exit-codes.ts";
import { endWithReader, tell, writeJson, writeOut } from "../output/out.ts";
import { formatTable } from "../output/table.ts";
import type { Settings } from "../settings/settings.ts";
import type { Stores } from "../stores/open-stores.ts";
import { s3Options } from "../stores/s3-options.ts";
import { withStores } from "../stores/with-stores.ts";
import { bringModels } from "./bring-models.ts";
import { bringTasks } from "./bring-tasks.ts";
import { type CmgSource, cmgSource } from "./cmg-source.ts";
import { findServers } from "./find-servers.ts";
import { readQueue } from "./read-queue.ts";
import { type MigrationReport, reportRows, reportTexts } from "./report.ts";
import { type CmgMessage, toMessage } from "./waiting-task.ts";

/** Takes over what CogStack's gateway has kept, and changes nothing of it. */
export async function migrateFromCmg({ options, settings }: Call): Promise<number> {
  endWithReader();
  const dryRun = options.has("dry-run");
  const source = cmgSource(process.env);
  const database = await named(source, "database", () => openDatabase(source));
  try {
    if (!(await database.has("task"))) throw otherDatabase();
    const messages = options.has("without-queue") ? undefined : await readMessages(source);
    const work = async (
      stores: Pick<Stores, "records" | "objects"> & Partial<Stores>,
      signal: AbortSignal,
    ) => {
      const report = await bringFromCmg({ source, database, messages, stores, settings, dryRun, signal });
      if (options.has("json")) await writeJson(report);
      else {
        await writeOut(formatTable(reportRows(report)));
        for (const text of reportTexts(report)) tell(text);
      }
      return report.tasks.leftOut.length > 0 ? EXIT.failed : EXIT.ok;
    };
    if (dryRun) return await dryly(settings, work);
    await requireBucket(settings);
    return await withStores(settings, work);
  } finally {
    await database.close();
  }
}

type Database = Awaited<ReturnType<typeof openDatabase>>;

export interface MigrationParts {
  readonly source: CmgSource;
  readonly database: Database;
  readonly messages: ReadonlyMap<string, CmgMessage> | undefined;
  readonly stores: Pick<Stores, "records" | "objects"> & Partial<Stores>;
  readonly settings: Settings;
  readonly dryRun: boolean;
  readonly signal: AbortSignal;
}

export async function bringFromCmg(parts: MigrationParts): Promise<MigrationReport> {
  const { source, database, messages, stores, settings, dryRun, signal } = parts;
  // Brokers find what is brought in the store, and need not be there.
  const { records, objects, ownLedger } = stores;
  const models = await bringModels({ database, records, dryRun, signal });
  const log = { warn: (text: string) => tell(text) };
  const servers = await findServers({ settings, records, log });
  const { readForeignBucket } = await import("@modelgate/adapters-storage/s3");
  const { tasksBucket, resultsBucket, ...place } = source.objects;
  const [payloads, results] = [tasksBucket, resultsBucket].map((bucket) =>
    readForeignBucket({ ...place, bucket }),
  ) as [ReturnType<typeof readForeignBucket>, ReturnType<typeof readForeignBucket>];
  const protocol = cmsProtocol();
  try {
    const { boostMs, waitMs, maxFailures, inlineBytes, retention } = settings;
    const tasks = await bringTasks({
      ...{
        database,
        payloads,
        results,
        messages,
        objects,
        servers,
        inlineBytes,
        retention,
        dryRun,
        signal,
      },
      ledger: ownLedger,
      settings: { nowMs: Date.now(), boostMs, waitMs, maxFailures, operations: protocol.operations },
      onProgress: (count) => {
        if (count % 1_000 === 0) tell(`${count} tasks looked at`);
      },
    });
    return { dryRun, ...models, tasks };
  } finally {
    await Promise.all([payloads.close(), results.close(), protocol.close()]);
  }
}

async function openDatabase({ databaseUrl }: CmgSource) {
  const { readForeignDatabase } = await import("@modelgate/adapters-storage/postgres");
  return await readForeignDatabase({ url: databaseUrl });
}

async function readMessages({ queue }: CmgSource): Promise<ReadonlyMap<string, CmgMessage>> {
  const messages = new Map<string, CmgMessage>();
  try {
    for await (const bytes of readQueue(queue)) {
      const message = toMessage(bytes);
      if (message !== undefined) messages.set(message.uuid, message);
    }
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new CommandError(
      EXIT.failed,
      `its queue ${queue.queue} at ${new URL(queue.url).host} cannot be read: ${why}; look at CMG_QUEUE_HOST, CMG_QUEUE_USER and CMG_QUEUE_PASSWORD, or leave what waits behind with --without-queue.`,
    );
  }
  return messages;
}

/** Says of an error that it is about what is left, and which of its variables to look at. */
async function named<T>(source: CmgSource, _what: "database", work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!GatewayError.is(error)) throw error;
    throw new CommandError(
      EXIT.failed,
      `CogStack's gateway's database at ${new URL(source.databaseUrl).host}: ${error.message}; look at CMG_DB_HOST, CMG_DB_NAME, CMG_DB_USER and CMG_DB_PASSWORD (${error.code}).`,
    );
  }
}

/** Nobody has made a bucket for a gateway that has never run. */
async function requireBucket(settings: Settings): Promise<void> {
  if (settings.objects !== "s3") return;
  const { makeS3Bucket } = await import("@modelgate/adapters-storage/s3");
  try {
    if (await makeS3Bucket(s3Options(settings))) tell(`made the bucket ${settings["s3.bucket"]}`);
  } catch (error) {
    if (!GatewayError.is(error)) throw error;
    throw new CommandError(
      EXIT.failed,
      `The bucket ${settings["s3.bucket"]} is not there and cannot be made: ${error.message} (${error.code}).`,
    );
  }
}

function otherDatabase(): CommandError {
  return new CommandError(
    EXIT.failed,
    "The database has no table of tasks of CogStack's gateway; look at CMG_DB_NAME and CMG_DB_HOST.",
  );
}

/** Looks at what is here as far as there is something, and makes nothing. */
async function dryly(
  settings: Settings,
  work: (
    stores: Pick<Stores, "records" | "objects"> & Partial<Stores>,
    signal: AbortSignal,
  ) => Promise<number>,
): Promise<number> {
  const { memoryRecordStore, memoryObjectStore } = await import("@modelgate/core/memory");
  const nothing = { records: memoryRecordStore(), objects: memoryObjectStore() };
  const isThere = settings.store === "postgres" || existsSync(join(settings.dataDir, "modelgate.db"));
  if (!isThere) return await work(nothing, new AbortController().signal);
  return await withStores({ ...settings, "postgres.migrate": false }, async (stores, signal) => {
    try {
      await stores.ledger.stats({ signal });
    } catch (error) {
      if (!GatewayError.is(error, "STORE_OUTDATED")) throw error;
      return await work(nothing, signal);
    }
    return await work(stores, signal);
  });
}
