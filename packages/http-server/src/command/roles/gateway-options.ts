import type { GatewayOptions } from "@modelgate/core";
import type { Settings } from "../settings/settings.ts";
import type { Role } from "./role.ts";

/** The settings that are a gateway's options under the same, or nearly the same, name. */
export function gatewayOptions(role: Role, settings: Settings): Omit<GatewayOptions, "discovery"> {
  const { leaseMs, pollMs, inlineBytes, boostMs, waitMs, maxFailures, storeWaitMs } = settings;
  const { idempotencyMs, modelMemoryMs, defaultLimit, maxConcurrentTasks } = settings;
  const { retention, maxBodyBytes } = settings;
  return {
    ...{ leaseMs, pollMs, inlineBytes, boostMs, waitMs, maxFailures, storeWaitMs },
    ...{ idempotencyMs, modelMemoryMs, defaultLimit, maxConcurrentTasks, retention },
    name: settings.name ?? role.name,
    runs: role.runs && settings.runs,
    sweeps: role.sweeps,
    objectSweepMs: role.sweepsObjects && settings.objectSweepMs,
    noServerMs: knowsServers(role, settings) ? settings.noServerMs : false,
    maxPayloadBytes: maxBodyBytes,
    direct: {
      share: settings["direct.share"],
      timeoutMs: settings["direct.timeoutMs"],
      idleTimeoutMs: settings["direct.idleTimeoutMs"],
      maxWaiting: settings["direct.maxWaiting"],
    },
    maxWaiting: { tasks: settings.maxWaitingTasks, bytes: settings.maxWaitingBytes },
  };
}

/** Whoever was told of no server cannot say which models have none. */
function knowsServers({ name }: Role, settings: Settings): boolean {
  return settings.servers.length > 0 || settings["docker.enabled"] || name === "serve";
}
