import { GatewayError } from "@modelgate/core";
import { CommandError } from "./command-error.ts";
import { EXIT, type ExitCode } from "./exit-codes.ts";
import { portOf, type Role } from "./roles/role.ts";
import type { Settings } from "./settings/settings.ts";
import { backendOf, storeFailure } from "./stores/store-failure.ts";

export function exitCodeOf(error: unknown): ExitCode {
  if (error instanceof CommandError) return error.exitCode;
  return GatewayError.is(error, "INVALID_OPTIONS") ? EXIT.usage : EXIT.failed;
}

/** Why a role did not start, with what to do. */
export function startFailure(error: unknown, role: Role, settings: Settings): string {
  if (error instanceof CommandError) return error.message;
  const { host, dataDir } = settings;
  const {
    code,
    message,
    port = portOf(role, settings),
  } = error as NodeJS.ErrnoException & {
    readonly port?: number;
  };
  if (code === "EADDRINUSE") {
    return `port ${port} of ${host} is in use; choose another one with ${flagOfPort(port, role, settings)}, or end what listens there`;
  }
  if (code === "EACCES" && message.includes("listen")) return `port ${port} of ${host} may not be used`;
  if (code === "EADDRNOTAVAIL" || code === "ENOTFOUND") return `${host} is no address of this machine`;
  if (code === "EACCES" || code === "EROFS" || code === "ENOTDIR" || code === "EEXIST") {
    return `the data directory ${dataDir} cannot be used (${code})`;
  }
  if (GatewayError.is(error))
    return `${storeFailure(error, backendOf(error, settings), settings).text} (${error.code})`;
  // What others throw may quote anything.
  return `the start failed: ${error instanceof Error ? error.name : typeof error}${code === undefined ? "" : ` (${code})`}`;
}

/** A process that is everything may have three ports. */
function flagOfPort(port: number | undefined, role: Role, settings: Settings): string {
  if (port === portOf(role, settings)) return "--port";
  return port === settings["scheduler.port"] ? "--scheduler-port" : "--reaper-port";
}
