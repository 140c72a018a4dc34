import type { Options } from "../command-spec.ts";
import { decimal, size } from "../settings/measure-kinds.ts";
import { UsageError } from "../usage-error.ts";
import { readDuration } from "./read-duration.ts";

/** What a person wants to be deployed. */
export interface Wish {
  readonly model: string;
  readonly modelUri: string | undefined;
  readonly trackingId: string | undefined;
  /** `null` for ever; `undefined` leaves it to the gateway. */
  readonly ttlMs: number | null | undefined;
  readonly memoryBytes: number | undefined;
  readonly cpus: number | undefined;
  readonly gpus: number | "all" | undefined;
}

const CPUS = decimal(0.01, 100_000);
const LONGEST_TTL_MS = 3650 * 86_400_000;

/** Throws `UsageError`, which names the flag. */
export function readWish(model: string, options: Options): Wish {
  const { modelUri, trackingId } = { modelUri: options.get("uri"), trackingId: options.get("tracking-id") };
  if ((modelUri === undefined) === (trackingId === undefined)) {
    const problem = modelUri === undefined ? "--uri is missing" : "--uri and --tracking-id say the same";
    throw new UsageError(
      `${problem}; give where the model is by --uri, or the run that made it by --tracking-id.`,
    );
  }
  return {
    ...{ model, modelUri, trackingId },
    ttlMs: readTtl(options.get("ttl")),
    memoryBytes: read(options, "memory", size),
    cpus: read(options, "cpus", CPUS),
    gpus: readCards(options.get("gpus")),
  };
}

/** What the HTTP API takes of it. */
export function bodyOf({ modelUri, trackingId, ttlMs, memoryBytes, cpus, gpus }: Wish): string {
  const limits = {
    ...(memoryBytes !== undefined && { memory: `${memoryBytes}` }),
    ...(cpus !== undefined && { cpus: `${cpus}` }),
  };
  const devices = gpus === undefined ? undefined : [{ count: gpus, capabilities: ["gpu"] }];
  const resources = {
    ...(Object.keys(limits).length > 0 && { limits }),
    ...(devices !== undefined && { reservations: { devices } }),
  };
  return JSON.stringify({
    model_uri: modelUri,
    tracking_id: trackingId,
    ttl: ttlMs === null ? -1 : ttlMs === undefined ? undefined : Math.ceil(ttlMs / 1000),
    ...(Object.keys(resources).length > 0 && { deploy: { resources } }),
  });
}

function readTtl(given: string | undefined): number | null | undefined {
  if (given === undefined) return undefined;
  if (given === "never") return null;
  const ttlMs = readDuration(given);
  if (ttlMs !== undefined && ttlMs >= 1000 && ttlMs <= LONGEST_TTL_MS) return ttlMs;
  throw new UsageError(
    `--ttl is "${given}"; give a time such as 90m, 24h or 7d, from 1s to 3650d, or never.`,
  );
}

function readCards(given: string | undefined): number | "all" | undefined {
  if (given === undefined || given === "all") return given;
  if (/^\d{1,3}$/.test(given) && Number(given) <= 256) return Number(given);
  throw new UsageError(`--gpus is "${given}"; give a whole number from 0 to 256, or all.`);
}

function read(options: Options, name: string, kind: typeof size): number | undefined {
  const given = options.get(name);
  if (given === undefined) return undefined;
  const reading = kind.read(given);
  if ("value" in reading) return reading.value;
  throw new UsageError(`--${name} is "${given}"; ${reading.fix}.`);
}
