import type { Deployer, DeploymentsOptions, RecordStore, Tracking } from "@modelgate/core";
import type { Settings } from "../settings/settings.ts";
import { serverTemplate } from "./server-template.ts";

export interface DeploymentParts {
  readonly records: RecordStore;
  readonly deployer: Deployer | undefined;
  readonly tracking?: Tracking | undefined;
}

/** The settings that are options of deployments. */
export async function deploymentsOptions(
  settings: Settings,
  { records, deployer, tracking }: DeploymentParts,
): Promise<DeploymentsOptions> {
  const { "deployments.manual.ttlMs": ttlMs } = settings;
  return {
    records,
    deployer,
    tracking,
    template: await serverTemplate(settings),
    installation: settings["deployments.installation"],
    room: {
      ...given("memoryBytes", settings["deployments.room.memory"]),
      ...given("cpus", settings["deployments.room.cpus"]),
      ...given("gpus", settings["deployments.room.gpus"]),
    },
    defaultRoom: {
      memoryBytes: settings["deployments.defaultRoom.memory"],
      cpus: settings["deployments.defaultRoom.cpus"],
    },
    maxConcurrent: settings["deployments.maxConcurrent"],
    attempts: settings["deployments.attempts"],
    retryMs: settings["deployments.retryMs"],
    readyTimeoutMs: settings["deployments.readyTimeoutMs"],
    failedRetryMs: settings["deployments.failedRetryMs"],
    minResidencyMs: settings["deployments.minResidencyMs"],
    drainMs: settings["deployments.drainMs"],
    maxOverrunMs: settings["deployments.maxOverrunMs"],
    stopGraceMs: settings["deployments.stopGraceMs"],
    manual: {
      ttlMs: ttlMs === "never" ? null : ttlMs,
      maxTtlMs: settings["deployments.manual.maxTtlMs"],
      allowsTtl: settings["deployments.manual.allowsTtl"],
      requiresKnownUri: settings["deployments.manual.requiresKnownUri"],
    },
    auto: {
      idleTtlMs: settings["deployments.auto.idleTtlMs"],
      requiresKnownUri: settings["deployments.auto.requiresKnownUri"],
    },
  };
}

function given<Name extends string>(
  name: Name,
  value: number | undefined,
): { readonly [Key in Name]?: number } {
  return (value === undefined ? {} : { [name]: value }) as { readonly [Key in Name]?: number };
}
