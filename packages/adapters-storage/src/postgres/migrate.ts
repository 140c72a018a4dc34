import { GatewayError } from "@modelgate/core";
import pg from "pg";
import { type PostgresStoreOptions, resolveOptions } from "./options.ts";
import { PostgresPool, statement, type Transaction } from "./pool.ts";
import { toGatewayError } from "./postgres-error.ts";
import { MIGRATIONS, SCHEMA_VERSION, versionTable } from "./schema.ts";

/** The oldest PostgreSQL that this runs on: `extract` gives numerics since then. */
export const MIN_SERVER_VERSION = 140_000;

/** Any number will do that nobody else takes: "mdlg". */
const MIGRATION_LOCK = 0x6d646c67;

/**
 * Brings the schema up to date, one version after another in one transaction. Any number of processes may call it at
 * once: one does it, the others wait and find it done.
 *
 * Rejects `STORE_TOO_NEW` when a newer version of Modelgate wrote it, `STORE_READ_ONLY` when the user lacks the right,
 * `STORE_UNAVAILABLE`.
 */
export async function migratePostgres(options: PostgresStoreOptions): Promise<{ from: number; to: number }> {
  const pool = new PostgresPool(resolveOptions(options));
  try {
    return await migrate(pool);
  } finally {
    await pool.close();
  }
}

/** The same over connections that are there. */
export async function migrate(pool: PostgresPool): Promise<{ from: number; to: number }> {
  const { schema } = pool.options;
  try {
    return await pool.transaction(async (tx) => {
      await requireServer(tx);
      const before = await versionOf(tx, schema);
      if (before === SCHEMA_VERSION) return { from: before, to: before };
      // A statement of its own: what the ones after it see must be what the last holder committed.
      await tx.query(statement("SELECT pg_advisory_xact_lock($1, hashtext($2))"), [MIGRATION_LOCK, schema]);
      const from = await versionOf(tx, schema);
      requireKnown(from);
      for (const text of stepsFrom(from, schema)) await tx.query({ name: "", text });
      await tx.commit();
      return { from, to: SCHEMA_VERSION };
    });
  } catch (error) {
    throw toGatewayError(error);
  }
}

/** Rejects `STORE_OUTDATED` or `STORE_TOO_NEW` unless the schema is the one that this version wants. */
export async function requireSchema(pool: PostgresPool): Promise<void> {
  const { schema } = pool.options;
  const version = await pool.transaction(async (tx) => {
    await requireServer(tx);
    return await versionOf(tx, schema);
  });
  requireKnown(version);
  if (version < SCHEMA_VERSION) {
    throw new GatewayError(
      "STORE_OUTDATED",
      `the schema ${schema} has version ${version} and this needs ${SCHEMA_VERSION}; run \`modelgate migrate\``,
      { details: { field: "migrate", schema, version } },
    );
  }
}

/**
 * The SQL that brings a schema of version `from` (0: there is none) up to date, as one transaction, for sites where a
 * database administrator runs it. Run by a user who owns the schema, or may create it.
 */
export function postgresMigrationSql(
  options: { readonly schema?: string; readonly from?: number } = {},
): string {
  const { schema } = resolveOptions({ schema: options.schema });
  const { from = 0 } = options;
  if (!Number.isInteger(from) || from < 0 || from > SCHEMA_VERSION) {
    throw new GatewayError(
      "INVALID_OPTIONS",
      `from must be a version from 0 to ${SCHEMA_VERSION}; it is ${from}`,
      {
        details: { field: "from" },
      },
    );
  }
  const lock = `SELECT pg_advisory_xact_lock(${MIGRATION_LOCK}, hashtext(${pg.escapeLiteral(schema)}));`;
  return ["BEGIN;", lock, ...stepsFrom(from, schema), "COMMIT;", ""].join("\n");
}

function stepsFrom(from: number, schema: string): string[] {
  if (from === SCHEMA_VERSION) return [];
  const table = versionTable(schema);
  const first = from === 0 ? [createSchema(schema), `CREATE TABLE ${table} (version integer NOT NULL);`] : [];
  const write =
    from === 0
      ? `INSERT INTO ${table} (version) VALUES (${SCHEMA_VERSION});`
      : `UPDATE ${table} SET version = ${SCHEMA_VERSION};`;
  return [...first, ...MIGRATIONS.slice(from).map((step) => step(schema).trim()), write];
}

/** `IF NOT EXISTS` asks for a right on the database that whoever owns the schema need not have. */
function createSchema(schema: string): string {
  return `DO $$ BEGIN
  IF to_regnamespace('${schema}') IS NULL THEN CREATE SCHEMA ${schema}; END IF;
END $$;`;
}

function requireKnown(version: number): void {
  if (version <= SCHEMA_VERSION) return;
  throw new GatewayError(
    "STORE_TOO_NEW",
    `the schema has version ${version} and this version of Modelgate knows ${SCHEMA_VERSION}; use a newer one`,
    { details: { version } },
  );
}

async function requireServer(tx: Transaction): Promise<void> {
  const [row] = await tx.query(statement("SELECT current_setting('server_version_num')::integer"));
  const version = Number(row?.[0]);
  if (version >= MIN_SERVER_VERSION) return;
  throw new GatewayError(
    "UNSUPPORTED",
    `PostgreSQL ${Math.floor(version / 10_000)} is too old; ${MIN_SERVER_VERSION / 10_000} or newer is needed`,
    { details: { field: "url", serverVersion: version } },
  );
}

/** The version of a schema; 0 where there is none. */
async function versionOf(tx: Transaction, schema: string): Promise<number> {
  const table = versionTable(schema);
  // Read from the catalogue itself: `to_regclass` may answer from a cache that is older than a lock just waited for.
  const found = await tx.query(
    statement(`
SELECT 1 FROM pg_catalog.pg_class JOIN pg_catalog.pg_namespace ON pg_namespace.oid = relnamespace
WHERE nspname || '.' || relname = $1`),
    [table],
  );
  if (found.length === 0) return 0;
  const [row] = await tx.query(statement(`SELECT version FROM ${table}`));
  return Number(row?.[0] ?? 0);
}
