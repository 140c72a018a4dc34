import { noCheckpoint } from "../checkpoint.ts";
import { systemClock } from "../clock.ts";
import type { Discovery } from "../contracts/discovery.ts";
import type { Ledger } from "../contracts/ledger.ts";
import type { ObjectStore } from "../contracts/object-store.ts";
import type { ServerProtocol } from "../contracts/server-protocol.ts";
import { type ResolvedDeployments, resolveDeployments } from "../deployments/options.ts";
import type { GatewayOptions } from "../gateway-api.ts";
import { memoryLedger } from "../memory/ledger.ts";
import { memoryObjectStore } from "../memory/object-store.ts";
import { invalidOption, numberWithin } from "../option-checks.ts";
import { cmsProtocol } from "../protocols/cms.ts";
import { DEFAULT_BOOST_MS } from "../scheduler/rank.ts";
import { newTaskId } from "../task-id.ts";

const DAY_MS = 86_400_000;

type Filled<T> = { readonly [K in keyof T]-?: Exclude<T[K], undefined> };

/** The options with every default filled in. */
export interface ResolvedOptions
  extends Filled<
    Omit<
      GatewayOptions,
      "discovery" | "retention" | "maxWaiting" | "direct" | "wakeups" | "deployments" | "maxConcurrentTasks"
    >
  > {
  readonly discoveries: readonly Discovery[];
  readonly wakeups: GatewayOptions["wakeups"];
  readonly deployments: ResolvedDeployments | undefined;
  readonly maxConcurrentTasks: number | undefined;
  readonly ledger: Ledger;
  readonly objects: ObjectStore;
  readonly protocols: readonly ServerProtocol[];
  readonly direct: Filled<NonNullable<GatewayOptions["direct"]>>;
  readonly maxWaiting: { readonly tasks: number; readonly bytes: number };
  readonly retention:
    | { readonly payloadMs: number; readonly resultMs: number; readonly rowMs: number }
    | undefined;
  /** What the gateway made itself, and so closes itself. */
  readonly owned: readonly { close(): Promise<void> }[];
}

/** Fills in the defaults. Rejects what is out of range with `INVALID_OPTIONS`, naming the field. */
export function resolveOptions(options: GatewayOptions): ResolvedOptions {
  const discoveries = Array.isArray(options.discovery) ? options.discovery : [options.discovery];
  if (discoveries.length === 0 || discoveries.some((discovery) => typeof discovery?.watch !== "function")) {
    throw invalidOption("discovery", "must be a Discovery, or a list with at least one");
  }
  const clock = options.clock ?? systemClock;
  const random = options.random ?? Math.random;
  const owned: { close(): Promise<void> }[] = [];
  const own = <T extends { close(): Promise<void> }>(made: T): T => {
    owned.push(made);
    return made;
  };
  const retention = options.retention === false ? undefined : (options.retention ?? {});
  const resolved: ResolvedOptions = {
    discoveries,
    wakeups: options.wakeups,
    deployments: options.deployments && resolveDeployments(options.deployments),
    name: options.name ?? "gateway",
    runs: options.runs ?? true,
    sweeps: options.sweeps ?? true,
    leaseMs: numberWithin("leaseMs", options.leaseMs ?? 10_000, 100, DAY_MS),
    pollMs: numberWithin("pollMs", options.pollMs ?? 500, 1, DAY_MS),
    inlineBytes: numberWithin("inlineBytes", options.inlineBytes ?? 32_768, 0, 16_777_216),
    maxPayloadBytes: numberWithin(
      "maxPayloadBytes",
      options.maxPayloadBytes ?? 4_294_967_296,
      0,
      Number.MAX_SAFE_INTEGER,
    ),
    boostMs: numberWithin("boostMs", options.boostMs ?? DEFAULT_BOOST_MS, 0, 1e14),
    maxWaiting: {
      tasks: numberWithin(
        "maxWaiting.tasks",
        options.maxWaiting?.tasks ?? 10_000_000,
        1,
        Number.MAX_SAFE_INTEGER,
      ),
      bytes: numberWithin(
        "maxWaiting.bytes",
        options.maxWaiting?.bytes ?? 1_099_511_627_776,
        1,
        Number.MAX_SAFE_INTEGER,
      ),
    },
    waitMs: numberWithin("waitMs", options.waitMs ?? DAY_MS, 1, 3650 * DAY_MS),
    noServerMs:
      options.noServerMs === false
        ? false
        : numberWithin("noServerMs", options.noServerMs ?? 900_000, 1, 3650 * DAY_MS),
    maxFailures: numberWithin("maxFailures", options.maxFailures ?? 5, 1, 1000),
    storeWaitMs: numberWithin("storeWaitMs", options.storeWaitMs ?? 0, 0, DAY_MS),
    idempotencyMs: numberWithin("idempotencyMs", options.idempotencyMs ?? DAY_MS, DAY_MS, 3650 * DAY_MS),
    modelMemoryMs: numberWithin("modelMemoryMs", options.modelMemoryMs ?? DAY_MS, 0, 3650 * DAY_MS),
    defaultLimit: numberWithin("defaultLimit", options.defaultLimit ?? 8, 1, 64),
    maxConcurrentTasks:
      options.maxConcurrentTasks === undefined
        ? undefined
        : numberWithin("maxConcurrentTasks", options.maxConcurrentTasks, 1, Number.MAX_SAFE_INTEGER),
    retention: retention && {
      payloadMs: numberWithin("retention.payloadMs", retention.payloadMs ?? 7 * DAY_MS, 0, 3650 * DAY_MS),
      resultMs: numberWithin("retention.resultMs", retention.resultMs ?? 7 * DAY_MS, 0, 3650 * DAY_MS),
      rowMs: numberWithin("retention.rowMs", retention.rowMs ?? 30 * DAY_MS, 0, 3650 * DAY_MS),
    },
    direct: {
      share: numberWithin("direct.share", options.direct?.share ?? 0.5, 0.001, 1),
      timeoutMs: numberWithin("direct.timeoutMs", options.direct?.timeoutMs ?? 180_000, 1, DAY_MS),
      idleTimeoutMs: numberWithin(
        "direct.idleTimeoutMs",
        options.direct?.idleTimeoutMs ?? 300_000,
        1,
        DAY_MS,
      ),
      maxWaiting: numberWithin("direct.maxWaiting", options.direct?.maxWaiting ?? 1_024, 0, 1_000_000),
    },
    objectSweepMs:
      options.objectSweepMs === false
        ? false
        : numberWithin("objectSweepMs", options.objectSweepMs ?? DAY_MS, 60_000, 3650 * DAY_MS),
    clock,
    random,
    newId: options.newId ?? (() => newTaskId(clock.now())),
    checkpoint: options.checkpoint ?? noCheckpoint,
    ledger: options.ledger ?? own(memoryLedger({ clock, random })),
    objects: options.objects ?? own(memoryObjectStore({ clock })),
    protocols: options.protocols ?? [own(cmsProtocol())],
    owned,
  };
  if (resolved.protocols.length === 0)
    throw invalidOption("protocols", "must name at least one ServerProtocol");
  return resolved;
}
