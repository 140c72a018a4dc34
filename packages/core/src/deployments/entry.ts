import type { DeploymentIdentity, DeploymentKind, Room } from "../contracts/deployer.ts";
import type { Deployment, DeploymentError, DeploymentState, ServerDemands } from "./api.ts";

/**
 * Where a deployment is:
 *
 * `waiting` → `deploying` → `ready` → `draining` → `stopping` → gone,
 * with `deploying` → `waiting` after a failed try, `deploying` → `failing` → `failed` after the last one, and
 * `draining` → `ready` when somebody turned out to need it.
 *
 * Room is reserved from `deploying` to the end of `stopping`. `stopping` is the point of no return: from then on the
 * server may be gone at any moment. `failing` lasts until the waiting tasks were told.
 */
export type Phase = "waiting" | "deploying" | "ready" | "draining" | "stopping" | "failing" | "failed";

/**
 * Why a server is drained. Only one that was idle, or was to make room, may be needed again. One whose try failed stays
 * `deploying`: its driver takes it away once nobody sends it anything.
 */
export type DrainReason = "idle" | "yield" | "expired" | "removed" | "failed";

/** What is written down of one deployment. */
export interface Entry {
  readonly model: string;
  /** Unique for each deployment, so that what an earlier one left behind is told from what is current. */
  readonly generation: string;
  readonly kind: DeploymentKind;
  readonly phase: Phase;
  readonly modelUri?: string | undefined;
  readonly modelType?: string | undefined;
  readonly trackingId?: string | undefined;
  readonly demands?: ServerDemands | undefined;
  readonly room: Room;
  /** The gateway that takes its next step; another takes over when that one's presence lapses. */
  readonly driver?: string | undefined;
  readonly server?: EntryServer | undefined;
  /** By its engine's id, the server that another gateway had started. Of one that comes after it, nothing is to be said. */
  readonly adoptedId?: string | undefined;
  readonly isStarted: boolean;
  readonly createdAtMs: number;
  /** When its try began. */
  readonly begunAtMs?: number | undefined;
  readonly readyAtMs?: number | undefined;
  /** Written from time to time only; gateways tell what is newer by their presence. */
  readonly activeAtMs?: number | undefined;
  /** Manual; absent: for ever. */
  readonly ttlMs?: number | undefined;
  /** Auto; absent: kept warm. */
  readonly idleTtlMs?: number | undefined;
  /** Tries that failed and counted. */
  readonly failures: number;
  readonly error?: DeploymentError | undefined;
  readonly retryAtMs?: number | undefined;
  readonly drain?: { readonly why: DrainReason; readonly atMs: number } | undefined;
}

interface EntryServer {
  readonly id: string;
  readonly serverId: string;
  readonly name: string;
  readonly imageDigest?: string | undefined;
}

export type NewEntry = Pick<
  Entry,
  | "model"
  | "generation"
  | "kind"
  | "modelUri"
  | "modelType"
  | "trackingId"
  | "demands"
  | "room"
  | "ttlMs"
  | "idleTtlMs"
>;

const STATES: Readonly<Record<Phase, DeploymentState>> = {
  waiting: "waiting",
  deploying: "deploying",
  ready: "ready",
  draining: "draining",
  stopping: "stopping",
  failing: "failed",
  failed: "failed",
};

export function newEntry(parts: NewEntry, nowMs: number): Entry {
  return { ...parts, phase: "waiting", isStarted: false, createdAtMs: nowMs, failures: 0 };
}

/** Whether its room is reserved. */
export function takesRoom({ phase }: Entry): boolean {
  return phase === "deploying" || phase === "ready" || phase === "draining" || phase === "stopping";
}

/** Whether tasks for its model may hope for it. */
export function isExpected({ phase, drain }: Entry): boolean {
  if (phase === "waiting" || phase === "deploying" || phase === "ready") return true;
  return phase === "draining" && canReturn(drain?.why);
}

/** Whether its server gets nothing new, and all gateways are to acknowledge that. */
export function isDraining({ phase, drain }: Entry): boolean {
  return phase === "draining" || (phase === "deploying" && drain !== undefined);
}

export function canReturn(why: DrainReason | undefined): boolean {
  return why === "idle" || why === "yield";
}

/** Its turn has come. */
export function begin(entry: Entry, driver: string, nowMs: number): Entry {
  return { ...entry, phase: "deploying", driver, begunAtMs: nowMs, retryAtMs: undefined };
}

/** One try failed; another follows after `delayMs`, unless it is `undefined`. */
export function failTry(
  entry: Entry,
  error: DeploymentError,
  nowMs: number,
  { counts, delayMs }: { readonly counts: boolean; readonly delayMs: number | undefined },
): Entry {
  const failures = entry.failures + (counts ? 1 : 0);
  const after = {
    ...entry,
    failures,
    error,
    driver: undefined,
    server: undefined,
    isStarted: false,
    drain: undefined,
  };
  if (delayMs === undefined) return { ...after, phase: "failing", retryAtMs: undefined };
  return { ...after, phase: "waiting", retryAtMs: nowMs + delayMs };
}

export function becomeReady(entry: Entry, nowMs: number): Entry {
  return {
    ...entry,
    phase: "ready",
    driver: undefined,
    // The time of one that a person asked for goes on counting when its server had to be started again.
    readyAtMs: entry.kind === "manual" ? (entry.readyAtMs ?? nowMs) : nowMs,
    activeAtMs: nowMs,
    failures: 0,
    error: undefined,
    drain: undefined,
  };
}

export function drain(entry: Entry, why: DrainReason, nowMs: number): Entry {
  return { ...entry, phase: "draining", driver: undefined, drain: { why, atMs: nowMs } };
}

/** Its try failed, and its server may be at work all the same. */
export function withhold(entry: Entry, nowMs: number): Entry {
  return { ...entry, drain: { why: "failed", atMs: nowMs } };
}

/** It is needed after all. */
export function returnToWork(entry: Entry, nowMs: number): Entry {
  const after: Entry = { ...entry, phase: "ready", drain: undefined, activeAtMs: nowMs };
  if (entry.drain?.why !== "yield") return after;
  // It could not yield: its residency begins anew, so that it is not asked again at once.
  const startCostMs = (entry.readyAtMs ?? nowMs) - (entry.begunAtMs ?? nowMs);
  return { ...after, readyAtMs: nowMs, begunAtMs: nowMs - startCostMs };
}

export function stop(entry: Entry, driver: string): Entry {
  return { ...entry, phase: "stopping", driver };
}

export function identityOf(entry: Entry, installation: string): DeploymentIdentity {
  const { model, generation, kind, modelUri } = entry;
  return { installation, model, generation, kind, modelUri, ttlMs: entry.ttlMs ?? entry.idleTtlMs };
}

/** When a manual one's time is over. */
export function expiresAtMs({ kind, ttlMs, readyAtMs }: Entry): number | undefined {
  return kind === "manual" && ttlMs !== undefined && readyAtMs !== undefined ? readyAtMs + ttlMs : undefined;
}

/** As it is told to others. */
export function toDeployment(entry: Entry): Deployment {
  const { model, kind, generation, phase, modelUri, modelType, trackingId, server } = entry;
  const { createdAtMs, readyAtMs, ttlMs, idleTtlMs, isStarted, failures, error } = entry;
  return {
    ...{ model, kind, generation, state: STATES[phase], modelUri, modelType, trackingId, server },
    ...{ createdAtMs, readyAtMs, ttlMs, idleTtlMs, isStarted, failures, error },
    expiresAtMs: expiresAtMs(entry),
  };
}
