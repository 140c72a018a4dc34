import type { DeployedServer } from "../contracts/deployer.ts";
import type { Configuration } from "./api.ts";
import type { Entries } from "./book.ts";
import { canReturn, type DrainReason, type Entry, expiresAtMs, type Phase } from "./entry.ts";

/** What is still under way on a draining server. */
export interface Remaining {
  /** Whether every live gateway has acknowledged that it sends nothing new. */
  readonly isAcknowledged: boolean;
  readonly inFlight: number;
  readonly background: number;
}

/** All that a decision rests on. Instants are wall-clock milliseconds. */
export interface World {
  readonly nowMs: number;
  readonly entries: Entries;
  /** As the entries were before the servers were listed: what changed in between proves nothing. */
  readonly entriesBefore: Entries;
  /** What the engine has of this installation; `undefined` when it was not asked or does not answer. */
  readonly servers: readonly DeployedServer[] | undefined;
  readonly isLive: (gateway: string) => boolean;
  /** Enabled on-demand configurations by model. */
  readonly configurations: ReadonlyMap<string, Configuration>;
  /** Whether work waits for the model. */
  readonly isWanted: (model: string) => boolean;
  /** Whether somebody else's server serves the model. */
  readonly isServed: (model: string) => boolean;
  /** Since the model's last activity anywhere. */
  readonly idleMs: (entry: Entry) => number;
  readonly remaining: (entry: Entry) => Remaining;
  readonly drainMs: number;
  readonly maxOverrunMs: number;
}

/**
 * What is to be done.
 *
 * - `intend`: an on-demand model is to be deployed.
 * - `begin`: a waiting deployment is to have its turn, if there is room.
 * - `claim`: its driver is gone, or it has none.
 * - `drain`, `return`, `stop`: the way to its end, and back.
 * - `restart`: a manual one lost its server.
 * - `adopt`, `removeStray`: a server that no entry stands for.
 * - `mark`: its last activity is to be written down.
 */
export type Step =
  | { readonly kind: "intend"; readonly model: string; readonly configuration: Configuration }
  | { readonly kind: "begin" | "claim" | "return" | "stop" | "restart" | "mark"; readonly entry: Entry }
  | { readonly kind: "drain"; readonly entry: Entry; readonly why: DrainReason }
  | { readonly kind: "adopt" | "removeStray"; readonly server: DeployedServer };

const DRIVEN: ReadonlySet<Phase> = new Set(["deploying", "stopping", "failing"]);
/** Of the idle time to live; how much of it a loss of all gateways may forget. */
const MARK_SHARE = 0.25;

/** Decides what this gateway does next about all deployments. Pure; whoever acts checks again in one write. */
export function decide(world: World): readonly Step[] {
  const steps: Step[] = [];
  for (const entry of world.entries.values()) {
    const step = stepFor(entry, world);
    if (step !== undefined) steps.push(step);
  }
  for (const server of world.servers ?? []) {
    const step = strayStep(server, world);
    if (step !== undefined) steps.push(step);
  }
  for (const [model, configuration] of world.configurations) {
    if (world.entries.has(model) || world.isServed(model)) continue;
    if (configuration.keepWarm || world.isWanted(model)) steps.push({ kind: "intend", model, configuration });
  }
  return steps;
}

function stepFor(entry: Entry, world: World): Step | undefined {
  const { nowMs, isLive } = world;
  if (DRIVEN.has(entry.phase)) {
    const isDriven = entry.driver !== undefined && isLive(entry.driver);
    return isDriven ? undefined : { kind: "claim", entry };
  }
  switch (entry.phase) {
    case "waiting":
      return nowMs >= (entry.retryAtMs ?? 0) ? { kind: "begin", entry } : undefined;
    case "failed":
      return afterFailure(entry, world);
    case "ready":
      return whileReady(entry, world);
    case "draining":
      return whileDraining(entry, world);
    default:
      return undefined;
  }
}

function afterFailure(entry: Entry, world: World): Step | undefined {
  const configuration = world.configurations.get(entry.model);
  if (entry.kind !== "auto" || configuration === undefined || world.nowMs < (entry.retryAtMs ?? 0)) return;
  if (!configuration.keepWarm && !world.isWanted(entry.model)) return;
  return { kind: "intend", model: entry.model, configuration };
}

function whileReady(entry: Entry, world: World): Step | undefined {
  const { nowMs, idleMs } = world;
  if (isLost(entry, world)) return { kind: entry.kind === "manual" ? "restart" : "stop", entry };
  const endMs = expiresAtMs(entry);
  if (endMs !== undefined && nowMs >= endMs) return { kind: "drain", entry, why: "expired" };
  const { idleTtlMs } = entry;
  if (entry.kind !== "auto" || idleTtlMs === undefined) return undefined;
  const idle = world.isWanted(entry.model) ? 0 : idleMs(entry);
  if (idle >= idleTtlMs) return { kind: "drain", entry, why: "idle" };
  const activeAtMs = nowMs - idle;
  if (activeAtMs - (entry.activeAtMs ?? 0) > idleTtlMs * MARK_SHARE) return { kind: "mark", entry };
  return undefined;
}

function whileDraining(entry: Entry, world: World): Step | undefined {
  if (isLost(entry, world) && !isStartedAgain(entry, world)) return { kind: "stop", entry };
  const { why, atMs } = entry.drain ?? { why: "removed", atMs: world.nowMs };
  const { isAcknowledged, inFlight, background } = world.remaining(entry);
  if (why === "idle" && (inFlight > 0 || world.isWanted(entry.model))) return { kind: "return", entry };
  if (!isAcknowledged) return undefined;
  if (inFlight === 0) return { kind: "stop", entry };
  const forMs = world.nowMs - atMs;
  if (canReturn(why)) {
    return background > 0 || forMs >= world.drainMs ? { kind: "return", entry } : undefined;
  }
  const patienceMs = why === "expired" && background > 0 ? world.maxOverrunMs : world.drainMs;
  return forMs >= patienceMs ? { kind: "stop", entry } : undefined;
}

/** Its server is gone or has ended, and not because of us. */
function isLost(entry: Entry, { servers, entriesBefore }: World): boolean {
  const before = entriesBefore.get(entry.model);
  if (servers === undefined || before?.generation !== entry.generation || before.phase !== entry.phase)
    return false;
  const server = servers.find(({ generation }) => generation === entry.generation);
  return server === undefined || server.state === "stopped";
}

/** Whether its engine has it still and starts it again by itself, so that it may be at work any moment. */
function isStartedAgain({ kind, generation }: Entry, { servers = [] }: World): boolean {
  return kind === "manual" && servers.some((server) => server.generation === generation);
}

function strayStep(server: DeployedServer, world: World): Step | undefined {
  const isCurrent = (entries: Entries): boolean =>
    entries.get(server.model)?.generation === server.generation;
  if (isCurrent(world.entries) || isCurrent(world.entriesBefore)) return undefined;
  const isFree = !world.entries.has(server.model) && !world.entriesBefore.has(server.model);
  const isWorthIt = server.kind === "manual" || world.configurations.has(server.model);
  // One that was never started was left behind by a gateway that found out that it is not wanted any more.
  return isFree && isWorthIt && server.state !== "created"
    ? { kind: "adopt", server }
    : { kind: "removeStray", server };
}

/** Whether another generation has its model, so that nobody can take it over. */
export function isReplaced({ model, generation }: DeployedServer, entries: Entries): boolean {
  const entry = entries.get(model);
  return entry !== undefined && entry.generation !== generation;
}
