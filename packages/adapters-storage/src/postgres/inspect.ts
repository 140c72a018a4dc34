import type { GatewayError } from "@modelgate/core";
import type pg from "pg";
import { connectionOptions } from "./connection-options.ts";
import type { PostgresInspection, PostgresProblem } from "./inspection.ts";
import { MIN_SERVER_VERSION } from "./migrate.ts";
import { type PostgresStoreOptions, resolveOptions } from "./options.ts";
import { OwnClient } from "./own-client.ts";
import { toGatewayError } from "./postgres-error.ts";
import { RELATIONS, SCHEMA_VERSION, versionTable } from "./schema.ts";

/** Of our own tables and view; what else an administrator keeps in the schema is no concern of ours. */
const RIGHTS = `
SELECT kind.name || ' on ' || $1 || '.' || relname
FROM pg_catalog.pg_class
JOIN pg_catalog.pg_namespace ON pg_namespace.oid = relnamespace
CROSS JOIN LATERAL unnest(
  CASE relkind WHEN 'r' THEN '{SELECT,INSERT,UPDATE,DELETE}'::text[] ELSE '{SELECT}'::text[] END
) AS kind (name)
WHERE nspname = $1 AND relname = ANY ($2::text[]) AND NOT has_table_privilege(pg_class.oid, kind.name)
ORDER BY 1`;

const SERVER = `
SELECT current_setting('server_version') AS version, current_setting('server_version_num')::integer AS number,
  current_database() AS database, current_user AS user_name, pg_backend_pid() AS pid,
  floor(extract(epoch FROM clock_timestamp()) * 1000)::double precision AS now_ms,
  current_setting('synchronous_commit') AS synchronous_commit, current_setting('fsync') = 'on' AS fsync,
  current_setting('max_connections')::integer AS max_connections,
  (SELECT count(*)::integer FROM pg_catalog.pg_stat_activity WHERE backend_type = 'client backend') AS in_use,
  pg_is_in_recovery() OR current_setting('transaction_read_only') = 'on' AS is_read_only,
  to_regnamespace($1) IS NOT NULL AS has_schema,
  EXISTS (
    SELECT FROM pg_catalog.pg_class JOIN pg_catalog.pg_namespace ON pg_namespace.oid = relnamespace
    WHERE nspname || '.' || relname = $2
  ) AS has_version`;

type Found = { -readonly [Key in keyof PostgresInspection]: PostgresInspection[Key] };

/**
 * Looks at the server as the store would meet it, over one connection of its own, and changes nothing. Of a pool that
 * is handed in as `client` it knows nothing: `url` and its like are what it tries. Never throws for what it finds,
 * wrong options included.
 */
export async function inspectPostgres(options: PostgresStoreOptions): Promise<PostgresInspection> {
  const problems: PostgresProblem[] = [];
  const found = nothing(options.schema ?? "modelgate", problems);
  let step: PostgresProblem["step"] = "options";
  let client: pg.Client | undefined;
  try {
    const resolved = resolveOptions({ ...options, client: undefined });
    step = "connect";
    // A pooler would refuse the settings that a session of ours begins with, and then nothing could be told of it.
    const own = new OwnClient({
      ...connectionOptions({ ...resolved, pooler: true }, false),
      query_timeout: resolved.connectTimeoutMs,
    });
    client = own;
    own.on("error", () => {});
    const since = performance.now();
    await own.connect();
    found.connectMs = performance.now() - since;
    found.isReached = true;
    found.tls = protocolOf(own);
    step = "server";
    const { hasSchema, hasVersion } = await readServer(own, resolved.schema, found);
    step = "rights";
    found.missingRights = await missingRights(own, resolved.schema, { hasSchema, hasVersion });
    step = "schema";
    found.schemaVersion = hasVersion ? await readVersion(own, resolved.schema) : 0;
  } catch (error) {
    problems.push(problemOf(step, toGatewayError(error)));
  } finally {
    await client?.end().catch(() => {});
  }
  return found;
}

async function readServer(
  client: pg.Client,
  schema: string,
  found: Found,
): Promise<{ hasSchema: boolean; hasVersion: boolean }> {
  const asked = Date.now();
  const since = performance.now();
  const { rows } = await client.query(SERVER, [schema, versionTable(schema)]);
  const tookMs = performance.now() - since;
  const row = rows[0];
  found.serverVersion = row.version;
  found.isSupported = row.number >= MIN_SERVER_VERSION;
  found.database = row.database;
  found.user = row.user_name;
  found.clockDifferenceMs = Math.round(row.now_ms - (asked + tookMs / 2));
  found.synchronousCommit = row.synchronous_commit;
  found.fsync = row.fsync;
  found.maxConnections = row.max_connections;
  found.connectionsInUse = row.in_use;
  found.isReadOnly = row.is_read_only;
  // The number that a session is given to cancel by is that of its server process, unless somebody stands between.
  found.isPooler = (client as unknown as { processID: number | null }).processID !== row.pid;
  return { hasSchema: row.has_schema, hasVersion: row.has_version };
}

async function readVersion(client: pg.Client, schema: string): Promise<number> {
  const { rows } = await client.query(`SELECT version FROM ${versionTable(schema)}`);
  return rows[0]?.version ?? 0;
}

async function missingRights(
  client: pg.Client,
  schema: string,
  { hasSchema, hasVersion }: { hasSchema: boolean; hasVersion: boolean },
): Promise<string[]> {
  if (!hasSchema) {
    const { rows } = await client.query(
      "SELECT has_database_privilege(current_database(), 'CREATE') AS may, current_database() AS name",
    );
    return rows[0].may ? [] : [`CREATE on database ${rows[0].name}`];
  }
  const { rows } = await client.query(
    "SELECT has_schema_privilege($1, 'USAGE') AS may_use, has_schema_privilege($1, 'CREATE') AS may_create",
    [schema],
  );
  const { may_use: mayUse, may_create: mayCreate } = rows[0];
  if (!mayUse) return [`USAGE on schema ${schema}`];
  if (!hasVersion) return mayCreate ? [] : [`CREATE on schema ${schema}`];
  const tables = await client.query({ text: RIGHTS, values: [schema, RELATIONS], rowMode: "array" });
  return tables.rows.map(([right]) => String(right));
}

function protocolOf(client: pg.Client): string {
  const { stream } = (client as unknown as { connection: { stream: { getProtocol?: () => string | null } } })
    .connection;
  return stream.getProtocol?.() ?? "none";
}

function problemOf(step: PostgresProblem["step"], error: GatewayError): PostgresProblem {
  const { field } = error.details as { field?: string };
  return { step, code: error.code, message: error.message, field };
}

function nothing(schema: string, problems: PostgresProblem[]): Found {
  return {
    isReached: false,
    connectMs: undefined,
    serverVersion: undefined,
    isSupported: undefined,
    database: undefined,
    user: undefined,
    tls: undefined,
    schema,
    schemaVersion: undefined,
    neededSchemaVersion: SCHEMA_VERSION,
    missingRights: undefined,
    clockDifferenceMs: undefined,
    synchronousCommit: undefined,
    fsync: undefined,
    maxConnections: undefined,
    connectionsInUse: undefined,
    isReadOnly: undefined,
    isPooler: undefined,
    problems,
  };
}
