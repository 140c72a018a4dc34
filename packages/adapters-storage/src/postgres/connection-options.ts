import { GatewayError } from "@modelgate/core";
import pg from "pg";
import type { ResolvedOptions } from "./options.ts";

/** A connection without a reply for so much longer than the server's own limit is given up. */
const GRACE_MS = 5_000;

/** A process that is stopped in the middle of a transaction must not keep its locks, for which all others wait. */
const MOST_IDLE_MS = 2_000;

/**
 * What every statement of ours wants of the planner: each finds its rows by an index, however few they are when the
 * plan is made and however many they become while it is kept.
 */
const PLANNER = {
  enable_seqscan: "off",
  enable_mergejoin: "off",
  jit: "off",
  plan_cache_mode: "force_generic_plan",
} as const;

export function sessionSettings(statementTimeoutMs: number): Record<string, string> {
  return {
    ...PLANNER,
    statement_timeout: `${statementTimeoutMs}`,
    idle_in_transaction_session_timeout: `${Math.min(statementTimeoutMs, MOST_IDLE_MS)}`,
  };
}

/** Throws `INVALID_OPTIONS` when `url` is none. */
export function connectionOptions(options: ResolvedOptions, isPipelined = true): pg.PoolConfig {
  const { pooler, connectTimeoutMs, statementTimeoutMs, tls, applicationName } = options;
  // Left to itself, the driver lets what is in an address, and be it nothing, go before every option.
  const address = read(options.url);
  const session = Object.entries(sessionSettings(statementTimeoutMs)).map(
    ([name, value]) => `-c ${name}=${value}`,
  );
  const settings = [address.options ?? "", ...(pooler ? [] : session)].join(" ").trim();
  return {
    ...{ host: address.host, port: address.port, user: address.user, database: address.database },
    password: guarded(options.password) ?? address.password,
    ssl: tls === undefined ? address.ssl : toTls(tls),
    ...(address.sslnegotiation !== undefined && { sslnegotiation: address.sslnegotiation }),
    application_name: applicationName,
    connectionTimeoutMillis: connectTimeoutMs,
    keepAlive: true,
    // A pooler takes no settings at the start of a connection.
    ...(settings !== "" && { options: settings }),
    ...(isPipelined && { pipeline: true, query_timeout: statementTimeoutMs + GRACE_MS }),
  } as pg.PoolConfig;
}

/** What the driver makes of an address, and of the environment. */
type Address = Pick<
  pg.ClientConfig,
  "host" | "port" | "user" | "database" | "password" | "ssl" | "options"
> & {
  readonly sslnegotiation?: string | undefined;
};

function read(url: string | undefined): Address {
  try {
    const client = new pg.Client(url);
    return (client as unknown as { connectionParameters: Address }).connectionParameters;
  } catch {
    // What the driver says may quote it.
    const form = "postgres://user:password@host:port/database, where what is special is written as %XX";
    throw new GatewayError("INVALID_OPTIONS", `url must be ${form}; files that it names must be readable`, {
      details: { field: "url" },
    });
  }
}

/** What a function of the caller's throws may hold anything. */
function guarded(password: ResolvedOptions["password"]): ResolvedOptions["password"] {
  if (typeof password !== "function") return password;
  return async () => {
    try {
      return await password();
    } catch {
      throw new GatewayError("STORE_UNAVAILABLE", "the function that is given as password failed", {
        details: { adapter: "postgres", field: "password" },
      });
    }
  };
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
