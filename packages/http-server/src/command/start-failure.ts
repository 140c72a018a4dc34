import { GatewayError } from "@modelgate/core";
import { CommandError } from "./command-error.ts";
import type { Settings } from "./settings/settings.ts";

export function isOptionError(error: unknown): boolean {
  return GatewayError.is(error, "INVALID_OPTIONS");
}

/** Why a gateway did not start, with what to do. */
export function startFailure(error: unknown, { host, port, dataDir }: Settings): string {
  if (error instanceof CommandError) return error.message;
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === "EADDRINUSE") {
    return `port ${port} of ${host} is in use; choose another one with --port, or end what listens there`;
  }
  if (code === "EACCES" && message.includes("listen")) return `port ${port} of ${host} may not be used`;
  if (code === "EADDRNOTAVAIL" || code === "ENOTFOUND") return `${host} is no address of this machine`;
  if (code === "EACCES" || code === "EROFS" || code === "ENOTDIR" || code === "EEXIST") {
    return `the data directory ${dataDir} cannot be used (${code})`;
  }
  if (GatewayError.is(error)) return `${error.message} (${error.code})`;
  return `the start failed: ${error instanceof Error ? error.message : String(error)}`;
}
