import type { PostgresStoreOptions } from "@modelgate/adapters-storage/postgres";
import type { Settings } from "../settings/settings.ts";
import { readPem } from "./read-pem.ts";

/** What the settings say of PostgreSQL, for its adapter. Throws `CommandError` for a file that cannot be read. */
export function postgresOptions(settings: Settings): PostgresStoreOptions {
  const tls = tlsOf(settings);
  return {
    url: addressOf(settings, tls !== undefined),
    password: settings["postgres.password"],
    schema: settings["postgres.schema"],
    pooler: settings["postgres.pooler"],
    maxConnections: settings["postgres.maxConnections"],
    connectTimeoutMs: settings["postgres.connectTimeoutMs"],
    statementTimeoutMs: settings["postgres.statementTimeoutMs"],
    migrate: settings["postgres.migrate"],
    tls,
    applicationName: "modelgate",
  };
}

const TLS_PARAMETERS = ["ssl", "sslmode", "sslrootcert", "sslcert", "sslkey", "sslnegotiation"];

/** The driver takes what an address says before what it is told beside it, so that the address has to say it. */
function addressOf(settings: Settings, hasTls: boolean): string | undefined {
  const { "postgres.url": given, "postgres.password": password } = settings;
  if (given === undefined || (password === undefined && !hasTls)) return given;
  const url = new URL(given);
  if (password !== undefined) url.password = encodeURIComponent(password);
  if (hasTls) for (const name of TLS_PARAMETERS) url.searchParams.delete(name);
  return url.href;
}

function tlsOf(settings: Settings): PostgresStoreOptions["tls"] {
  const isEnabled = settings["postgres.tls.enabled"];
  if (isEnabled === false) return false;
  const tls = {
    ca: readPem(settings, "postgres.tls.caFile"),
    cert: readPem(settings, "postgres.tls.certFile"),
    key: readPem(settings, "postgres.tls.keyFile"),
    serverName: settings["postgres.tls.serverName"],
    verify: settings["postgres.tls.verify"],
  };
  const { verify, ...texts } = tls;
  const says = !verify || Object.values(texts).some((text) => text !== undefined);
  // Nothing is said here, so that what the address says of TLS counts.
  return isEnabled === undefined && !says ? undefined : tls;
}
