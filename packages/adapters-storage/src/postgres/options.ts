import { invalidOption } from "@modelgate/core/adapter";

/** What is used of a pool of the `pg` package that is handed in. */
export interface PostgresPoolLike {
  connect(): Promise<PostgresClientLike>;
}

/** What is used of a client of the `pg` package. */
export interface PostgresClientLike {
  query(config: PostgresQuery): Promise<PostgresResult>;
  release(destroy?: boolean | Error): void;
  on(event: "error", listener: (error: Error) => void): unknown;
  removeListener(event: "error", listener: (error: Error) => void): unknown;
}

export interface PostgresQuery {
  readonly name?: string | undefined;
  readonly text: string;
  readonly values?: unknown[] | undefined;
  readonly rowMode?: "array" | undefined;
}

export interface PostgresResult {
  // What a driver reads is what its types say, which it cannot know.
  readonly rows: unknown[];
  readonly command?: string | undefined;
}

/** How the server is spoken to over TLS. Texts are PEM. */
export interface PostgresTlsOptions {
  /** Authorities to trust in place of the machine's. */
  readonly ca?: string | undefined;
  /** Our own certificate and its key, where the server asks for one. */
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
  /** The name that the server's certificate must have; the host of the address by default. */
  readonly serverName?: string | undefined;
  /** `false` takes any certificate. Default: true. */
  readonly verify?: boolean | undefined;
}

export interface PostgresStoreOptions {
  /** `postgres://user:password@host:port/database`. Without it, what `PGHOST` and its like say. */
  readonly url?: string | undefined;
  /** In place of one in `url`; a function is asked at each connection. */
  readonly password?: string | (() => string | Promise<string>) | undefined;
  /** A pool of the `pg` package that stays open at `close`, in place of everything about connections here. */
  readonly client?: PostgresPoolLike | undefined;
  /** Where the tables are: 1 to 48 of `[a-z0-9_]`, beginning with a letter; no word of SQL. Default: `modelgate`. */
  readonly schema?: string | undefined;
  /**
   * A transaction pooler such as PgBouncer stands between: nothing is kept in a session, so there are no named
   * statements and no `LISTEN`, and wake-ups from others come by polling. Default: false.
   */
  readonly pooler?: boolean | undefined;
  /** Connections at once, 2 to 1,000; one more listens for wake-ups. Default: 10. */
  readonly maxConnections?: number | undefined;
  /** Default: 5,000. */
  readonly connectTimeoutMs?: number | undefined;
  /** The server ends a statement, or a transaction that rests, after so long. 100 to 600,000; default: 15,000. */
  readonly statementTimeoutMs?: number | undefined;
  /** `true` verifies by the machine's authorities. Default: what `url` says, else no TLS. */
  readonly tls?: boolean | PostgresTlsOptions | undefined;
  /** Whether the schema is brought up to date at the first use. Otherwise `STORE_OUTDATED` says to do it. Default: true. */
  readonly migrate?: boolean | undefined;
  /** By which the server's operators tell these connections. Default: `modelgate`. */
  readonly applicationName?: string | undefined;
}

export interface ResolvedOptions extends PostgresStoreOptions {
  readonly schema: string;
  readonly pooler: boolean;
  readonly maxConnections: number;
  readonly connectTimeoutMs: number;
  readonly statementTimeoutMs: number;
  readonly migrate: boolean;
  readonly applicationName: string;
}

const SCHEMA = /^[a-z][a-z0-9_]{0,47}$/;

/** What SQL takes for a name only in quotation marks, which no statement here has. */
const RESERVED: ReadonlySet<string> = new Set(
  `all analyse analyze and any array as asc asymmetric authorization binary both case cast check collate collation
  column concurrently constraint create cross current_catalog current_date current_role current_schema current_time
  current_timestamp current_user default deferrable desc distinct do else end except false fetch for foreign freeze
  from full grant group having ilike in initially inner intersect into is isnull join lateral leading left like limit
  localtime localtimestamp natural not notnull null offset on only or order outer overlaps placing primary references
  returning right select session_user similar some symmetric system_user table tablesample then to trailing true union
  unique user using variadic verbose when where window with`.split(/\s+/),
);

/** Fills in the defaults. Throws `INVALID_OPTIONS`, which names the field. */
export function resolveOptions(options: PostgresStoreOptions): ResolvedOptions {
  const { url, client, schema = "modelgate" } = options;
  if (client === undefined && url !== undefined && !/^postgres(ql)?:\/\//.test(url))
    throw invalidOption("url", "must begin with postgres:// or postgresql://");
  if (client !== undefined && typeof client.connect !== "function")
    throw invalidOption("client", "must be a pool of the pg package");
  if (!SCHEMA.test(schema) || schema.startsWith("pg_"))
    throw invalidOption("schema", "must be 1 to 48 of a-z, 0-9 and _, begin with a letter, and not with pg_");
  if (RESERVED.has(schema) || schema === "information_schema")
    throw invalidOption("schema", `must be a name of its own; ${schema} has a meaning in SQL`);
  return {
    ...options,
    schema,
    pooler: options.pooler ?? false,
    maxConnections: within("maxConnections", options.maxConnections ?? 10, 2, 1_000),
    connectTimeoutMs: within("connectTimeoutMs", options.connectTimeoutMs ?? 5_000, 1, 600_000),
    statementTimeoutMs: within("statementTimeoutMs", options.statementTimeoutMs ?? 15_000, 100, 600_000),
    migrate: options.migrate ?? true,
    applicationName: options.applicationName ?? "modelgate",
  };
}

function within(field: string, value: number, minimum: number, maximum: number): number {
  if (Number.isInteger(value) && value >= minimum && value <= maximum) return value;
  throw invalidOption(field, `must be a whole number from ${minimum} to ${maximum}; it is ${String(value)}`);
}
