import type { Deployer, Room, ServerSpec } from "../contracts/deployer.ts";
import type { RecordStore } from "../contracts/record-store.ts";
import type { Tracking } from "../contracts/tracking.ts";
import { invalidOption, numberWithin } from "../option-checks.ts";
import type { DeploymentsOptions, TemplateRequest } from "./api.ts";

const DAY_MS = 86_400_000;
const LONGEST_MS = 3650 * DAY_MS;

export interface ResolvedDeployments {
  readonly records: RecordStore;
  readonly deployer: Deployer | undefined;
  readonly template: (request: TemplateRequest) => ServerSpec;
  readonly tracking: Tracking | undefined;
  readonly installation: string | undefined;
  readonly room: Partial<Room>;
  readonly defaultRoom: Room;
  readonly maxConcurrent: number;
  readonly attempts: number;
  readonly retryMs: number;
  readonly readyTimeoutMs: number;
  readonly failedRetryMs: number;
  readonly minResidencyMs: number;
  readonly drainMs: number;
  readonly maxOverrunMs: number;
  readonly stopGraceMs: number;
  readonly manual: {
    readonly ttlMs: number | null;
    readonly maxTtlMs: number | undefined;
    readonly allowsTtl: boolean;
    readonly requiresKnownUri: boolean;
  };
  readonly auto: { readonly idleTtlMs: number; readonly requiresKnownUri: boolean };
}

/** Fills in the defaults. Throws `INVALID_OPTIONS`, which names the field. */
export function resolveDeployments(options: DeploymentsOptions): ResolvedDeployments {
  const { manual, auto, defaultRoom, installation } = options;
  if (typeof options.template !== "function")
    throw invalidOption("deployments.template", "must be a function");
  if (typeof options.records?.put !== "function")
    throw invalidOption("deployments.records", "must be a RecordStore");
  if (installation !== undefined && !/^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,62}$/.test(installation)) {
    throw invalidOption("deployments.installation", "must be 1 to 63 of letters, digits, _ . and -");
  }
  const ms = (name: string, value: number | undefined, standard: number, least = 1): number =>
    numberWithin(`deployments.${name}`, value ?? standard, least, LONGEST_MS);
  const maxTtlMs = manual?.maxTtlMs;
  if (maxTtlMs !== undefined) numberWithin("deployments.manual.maxTtlMs", maxTtlMs, 1, LONGEST_MS);
  const ttlMs = manual?.ttlMs === undefined ? Math.min(DAY_MS, maxTtlMs ?? DAY_MS) : manual.ttlMs;
  if (ttlMs !== null) numberWithin("deployments.manual.ttlMs", ttlMs, 1, maxTtlMs ?? LONGEST_MS);
  else if (maxTtlMs !== undefined)
    throw invalidOption("deployments.manual.ttlMs", "cannot be for ever while there is a maxTtlMs");
  return {
    records: options.records,
    deployer: options.deployer,
    template: options.template,
    tracking: options.tracking,
    installation,
    room: checkedRoom("deployments.room", options.room ?? {}),
    defaultRoom: {
      memoryBytes: 2 * 1024 ** 3,
      cpus: 1,
      gpus: 0,
      ...checkedRoom("deployments.defaultRoom", defaultRoom ?? {}),
    },
    maxConcurrent: count("maxConcurrent", options.maxConcurrent, 2),
    attempts: count("attempts", options.attempts, 3),
    retryMs: ms("retryMs", options.retryMs, 1_000),
    readyTimeoutMs: ms("readyTimeoutMs", options.readyTimeoutMs, 300_000),
    failedRetryMs: ms("failedRetryMs", options.failedRetryMs, 30_000),
    minResidencyMs: ms("minResidencyMs", options.minResidencyMs, 60_000, 0),
    drainMs: ms("drainMs", options.drainMs, 30_000, 0),
    maxOverrunMs: ms("maxOverrunMs", options.maxOverrunMs, DAY_MS, 0),
    stopGraceMs: ms("stopGraceMs", options.stopGraceMs, 10_000, 0),
    manual: {
      ttlMs,
      maxTtlMs,
      allowsTtl: manual?.allowsTtl ?? true,
      requiresKnownUri: manual?.requiresKnownUri ?? false,
    },
    auto: {
      idleTtlMs: ms("auto.idleTtlMs", auto?.idleTtlMs, 3_600_000),
      requiresKnownUri: auto?.requiresKnownUri ?? false,
    },
  };
}

function count(name: string, value: number | undefined, standard: number): number {
  const given = value ?? standard;
  if (!Number.isInteger(given)) throw invalidOption(`deployments.${name}`, "must be a whole number above 0");
  return numberWithin(`deployments.${name}`, given, 1, 1_000);
}

function checkedRoom(field: string, room: Partial<Room>): Partial<Room> {
  for (const [kind, value] of Object.entries(room)) {
    if (kind !== "memoryBytes" && kind !== "cpus" && kind !== "gpus")
      throw invalidOption(`${field}.${kind}`, "is not a kind of room; give memoryBytes, cpus or gpus");
    if (value !== undefined) numberWithin(`${field}.${kind}`, value, 0, Number.MAX_SAFE_INTEGER);
  }
  return room;
}
