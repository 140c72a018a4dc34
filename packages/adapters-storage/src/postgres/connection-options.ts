import type pg from "pg";
import type { ResolvedOptions } from "./options.ts";

/** A connection without a reply for so much longer than the server's own limit is given up. */
const GRACE_MS = 5_000;

/**
 * What every statement of ours wants of the planner: each finds its rows by an index, however few they are when the
 * plan is made and however many they become while it is kept.
 */
const PLANNER = {
  enable_seqscan: "off",
  enable_hashjoin: "off",
  enable_mergejoin: "off",
  jit: "off",
  plan_cache_mode: "force_generic_plan",
} as const;

export function sessionSettings(statementTimeoutMs: number): Record<string, string> {
  return {
    ...PLANNER,
    statement_timeout: `${statementTimeoutMs}`,
    // A process that is stopped in the middle must not keep its locks.
    idle_in_transaction_session_timeout: `${Math.min(statementTimeoutMs, 5_000)}`,
  };
}

export function connectionOptions(options: ResolvedOptions, isPipelined = true): pg.PoolConfig {
  const { url, password, pooler, connectTimeoutMs, statementTimeoutMs, tls, applicationName } = options;
  const session = Object.entries(sessionSettings(statementTimeoutMs))
    .map(([name, value]) => `-c ${name}=${value}`)
    .join(" ");
  return {
    ...(url !== undefined && { connectionString: url }),
    ...(password !== undefined && { password }),
    ...(tls !== undefined && { ssl: toTls(tls) }),
    application_name: applicationName,
    connectionTimeoutMillis: connectTimeoutMs,
    keepAlive: true,
    // A pooler takes no settings at the start of a connection.
    ...(!pooler && { options: session }),
    ...(isPipelined && { pipeline: true, query_timeout: statementTimeoutMs + GRACE_MS }),
  } as pg.PoolConfig;
}

function toTls(tls: NonNullable<ResolvedOptions["tls"]>): pg.PoolConfig["ssl"] {
  if (typeof tls === "boolean") return tls;
  const { ca, cert, key, serverName, verify = true } = tls;
  return {
    rejectUnauthorized: verify,
    ...(ca !== undefined && { ca }),
    ...(cert !== undefined && { cert }),
    ...(key !== undefined && { key }),
    ...(serverName !== undefined && { servername: serverName }),
  };
}
