import type { Call } from "../command-spec.ts";
import { UsageError } from "../usage-error.ts";
import { ROLES } from "./role.ts";

/** Looks after the stores, until a signal or once. */
export async function reaper(call: Call): Promise<number> {
  if (call.options.has("once")) return (await import("./reap-once.ts")).reapOnce(call);
  if (call.options.has("json")) throw new UsageError("--json goes with --once.");
  return (await import("./run-role.ts")).runRole(ROLES.reaper, call);
}
