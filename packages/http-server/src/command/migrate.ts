import { GatewayError } from "@modelgate/core";
import { CommandError } from "./command-error.ts";
import type { Call } from "./command-spec.ts";
import { EXIT } from "./exit-codes.ts";
import { endWithReader, tell, writeJson, writeOut } from "./output/out.ts";
import { requireNumber } from "./require-option.ts";
import { checkAddress } from "./settings/check-settings.ts";
import { whereToGive } from "./settings/names.ts";
import type { Settings } from "./settings/settings.ts";
import { postgresOptions } from "./stores/postgres-options.ts";
import { retryStore } from "./stores/retry-store.ts";
import { UsageError } from "./usage-error.ts";

/** Brings the schema up to date, or writes the SQL that does. */
export async function migrate(call: Call): Promise<number> {
  if (call.options.has("from-cmg")) {
    const { migrateFromCmg } = await import("./migrate-from-cmg/migrate-from-cmg.ts");
    return await migrateFromCmg(call);
  }
  const { options, settings } = call;
  endWithReader();
  const from = requireNumber(options, "from", 0, Number.MAX_SAFE_INTEGER);
  if (settings.store !== "postgres") {
    const other = `The store is sqlite, which a start brings up to date by itself; for PostgreSQL give ${whereToGive("store")}.`;
    if (options.has("sql")) throw new UsageError(other);
    tell(other);
    return EXIT.ok;
  }
  if (options.has("sql")) return await writeSql(settings, from ?? 0);
  if (from !== undefined)
    throw new UsageError("--from goes with --sql; a database says itself which version it has.");
  const [problem] = checkAddress(settings, process.env);
  if (problem !== undefined) throw new UsageError(problem);
  const given = postgresOptions(settings);
  const { migratePostgres } = await import("@modelgate/adapters-storage/postgres");
  const done = await retryStore(() => migratePostgres(given), {
    settings,
    backend: "postgres",
    onWait: (text) => tell(`Waiting: ${text}`),
  });
  if (options.has("json")) await writeJson({ schema: settings["postgres.schema"], ...done });
  else if (done.from === done.to)
    await writeOut(`The schema ${settings["postgres.schema"]} has version ${done.to} already.\n`);
  else
    await writeOut(
      `The schema ${settings["postgres.schema"]} went from version ${done.from} to ${done.to}.\n`,
    );
  return EXIT.ok;
}

async function writeSql(settings: Settings, from: number): Promise<number> {
  const { postgresMigrationSql } = await import("@modelgate/adapters-storage/postgres");
  try {
    await writeOut(postgresMigrationSql({ schema: settings["postgres.schema"], from }));
    return EXIT.ok;
  } catch (error) {
    if (GatewayError.is(error, "INVALID_OPTIONS")) throw new CommandError(EXIT.usage, `--${error.message}.`);
    throw error;
  }
}
