import type { OperationOptions } from "../contracts/common.ts";
import type {
  Deployer,
  DeploymentKind,
  LogLine,
  PrepareProgress,
  Room,
  ServerSpec,
} from "../contracts/deployer.ts";
import type { RecordStore } from "../contracts/record-store.ts";
import type { Tracking } from "../contracts/tracking.ts";

/** What a person may ask of one deployment, beyond what the template says. */
export interface ServerDemands {
  readonly limits?: Partial<Room> | undefined;
  readonly reservations?: Partial<Room> | undefined;
  readonly gpus?: number | "all" | readonly string[] | undefined;
}

/** What a template makes a server's spec of. */
export interface TemplateRequest {
  readonly model: string;
  readonly modelUri?: string | undefined;
  readonly modelType?: string | undefined;
  readonly demands?: ServerDemands | undefined;
}

/** All durations in milliseconds. */
export interface DeploymentsOptions {
  /** Where configurations, intents and the presence of gateways are kept: shared by all gateways of an installation. */
  readonly records: RecordStore;
  /** Starts and removes servers. Without one this gateway changes nothing, and leaves it to others. */
  readonly deployer?: Deployer | undefined;
  /** Makes the spec of a model's server. Must be pure: another gateway may go on with a deployment. */
  readonly template: (request: TemplateRequest) => ServerSpec;
  /** Resolves tracking ids and model types. Default: none, and only addresses are taken. */
  readonly tracking?: Tracking | undefined;
  /** Whose servers these are. Default: an id that is made once and kept in `records`. */
  readonly installation?: string | undefined;
  /** What all servers together may take, static ones with limits included. Default: no bound. */
  readonly room?: Partial<Room> | undefined;
  /** What a deployment without limits is charged. Default: 2 GiB, one CPU, no card. */
  readonly defaultRoom?: Partial<Room> | undefined;
  /** Deployments at work at once, over all gateways. Default 2. */
  readonly maxConcurrent?: number | undefined;
  /** Tries before a deployment has failed. Default 3. */
  readonly attempts?: number | undefined;
  /** After a first failed try, doubling with each more. Default 1,000. */
  readonly retryMs?: number | undefined;
  /** From the start of a server until it has to be ready. Default 300,000. */
  readonly readyTimeoutMs?: number | undefined;
  /** How long an on-demand model that failed is left alone. Default 30,000. */
  readonly failedRetryMs?: number | undefined;
  /** How long an idle or busy on-demand server stays before it yields its room to another. Default 60,000. */
  readonly minResidencyMs?: number | undefined;
  /** What calls that run are given when a server's time is over. Default 30,000. */
  readonly drainMs?: number | undefined;
  /** What a background run is given when its server's time is over. Default 24 h. */
  readonly maxOverrunMs?: number | undefined;
  /** Between asking a server to stop and killing it. Default 10,000. */
  readonly stopGraceMs?: number | undefined;
  readonly manual?: ManualPolicy | undefined;
  readonly auto?: AutoPolicy | undefined;
}

/** Rules for deployments that a person asks for. */
export interface ManualPolicy {
  /** Time to live unless asked otherwise; `null` for ever. Default 24 h. */
  readonly ttlMs?: number | null | undefined;
  /** The longest that may be asked for; then `null` may not. Default: no bound. */
  readonly maxTtlMs?: number | undefined;
  /** Whether a time to live may be asked for at all. Default `true`. */
  readonly allowsTtl?: boolean | undefined;
  /** Whether the tracker has to know the address. Default `false`. */
  readonly requiresKnownUri?: boolean | undefined;
}

/** Rules for on-demand models. */
export interface AutoPolicy {
  /** Idle time after which a server is removed, unless its configuration says. Default 1 h. */
  readonly idleTtlMs?: number | undefined;
  /** Whether the tracker has to know the address. Default `false`. */
  readonly requiresKnownUri?: boolean | undefined;
}

/** A person's wish for a server. */
export interface DeployRequest {
  readonly model: string;
  /** Where the model is; wins over `trackingId`. One of the two is needed. */
  readonly modelUri?: string | undefined;
  /** A run of the tracker whose model is meant. */
  readonly trackingId?: string | undefined;
  /** `null` for ever. Default: the policy's. */
  readonly ttlMs?: number | null | undefined;
  readonly demands?: ServerDemands | undefined;
}

/**
 * - `waiting`: for room, for its turn, or for the next try.
 * - `deploying`: its server is being made or is not ready yet.
 * - `ready`: takes work.
 * - `draining`: takes nothing new; may become ready again while it was only idle.
 * - `stopping`: its server is being removed.
 * - `failed`: see `error`. An on-demand one is tried again when a task asks for it.
 */
export type DeploymentState = "waiting" | "deploying" | "ready" | "draining" | "stopping" | "failed";

/** Why a deployment is where it is, in words without secrets. */
export interface DeploymentError {
  readonly code: string;
  readonly message: string;
}

/** A server of ours, from its intent to its end. */
export interface Deployment {
  readonly model: string;
  readonly kind: DeploymentKind;
  /** Unique for each deployment. */
  readonly generation: string;
  readonly state: DeploymentState;
  readonly modelUri?: string | undefined;
  readonly modelType?: string | undefined;
  readonly trackingId?: string | undefined;
  readonly createdAtMs: number;
  readonly readyAtMs?: number | undefined;
  /** Manual ones, once ready; absent: never. */
  readonly expiresAtMs?: number | undefined;
  /** As asked for; manual ones; absent: for ever. */
  readonly ttlMs?: number | undefined;
  /** Auto ones; absent: kept warm. */
  readonly idleTtlMs?: number | undefined;
  /** Once it was made. */
  readonly server?:
    | {
        readonly id: string;
        /** As discovery lists it. */
        readonly serverId: string;
        readonly name: string;
        readonly imageDigest?: string | undefined;
      }
    | undefined;
  /** Whether its server was started. */
  readonly isStarted: boolean;
  /** Tries that failed. */
  readonly failures: number;
  /** What the last failed try met. */
  readonly error?: DeploymentError | undefined;
  /** How far its image is, while this gateway prepares it. */
  readonly progress?: PrepareProgress | undefined;
}

export interface SettleOptions extends OperationOptions {
  /** `started`: its server was started, or it failed. `ready`: it is ready, or it failed. */
  readonly until: "started" | "ready";
  /** Longest wait; then the deployment is given as it is, and goes on. */
  readonly timeoutMs: number;
}

/** How a server would be deployed. */
export interface DeploymentPlan {
  readonly spec: ServerSpec;
  readonly modelUri: string;
  readonly modelType?: string | undefined;
  readonly ttlMs?: number | undefined;
  /** What it would be charged. */
  readonly room: Room;
  /** Why it would be refused or have to wait now, in words; empty when nothing stands against it. */
  readonly obstacles: readonly string[];
}

/** Deployed servers: those that a person asked for, and those that tasks for on-demand models did. */
export interface Deployments {
  readonly configurations: Configurations;
  /**
   * Writes the intent; the server comes later (`settled`). An equal request joins a deployment in progress. Rejects
   * `INVALID_REQUEST`, `DEPLOYMENT_CONFLICT`, `NO_ROOM`, `TRACKED_MODEL_UNKNOWN`, `UNSUPPORTED` without a deployer, and
   * `DEPLOYER_UNAVAILABLE`, with nothing begun, while the engine does not answer.
   */
  deploy(request: DeployRequest, options?: OperationOptions): Promise<Deployment>;
  /** What `deploy` would do, doing nothing. Rejects as `deploy` does for a request that is wrong. */
  plan(request: DeployRequest, options?: OperationOptions): Promise<DeploymentPlan>;
  /** Sees to it that an on-demand model is deployed. `undefined` when no enabled configuration or deployment has it. */
  ensure(model: string, options?: OperationOptions): Promise<Deployment | undefined>;
  /** The deployment once it has come so far. Rejects `DEPLOYMENT_UNKNOWN` when it is gone. */
  settled(model: string, options: SettleOptions): Promise<Deployment>;
  get(model: string, options?: OperationOptions): Promise<Deployment | undefined>;
  /** By model. */
  list(options?: OperationOptions): Promise<readonly Deployment[]>;
  /**
   * Drains and removes. Resolves when it is gone. Rejects `DEPLOYMENT_UNKNOWN`, `NOT_OURS` for a server of somebody else,
   * and `DEPLOYER_UNAVAILABLE`, with nothing begun, while the engine does not answer.
   */
  remove(model: string, options?: OperationOptions): Promise<void>;
  /** What its server wrote, or the last lines of the server that failed. For administrators. Rejects `DEPLOYMENT_UNKNOWN`. */
  logs(
    model: string,
    options?: OperationOptions & { readonly tail?: number; readonly follow?: boolean },
  ): AsyncIterable<LogLine>;
}

/** One version of how an on-demand model is deployed. */
export interface Configuration {
  /** Unique in the installation; counts up. */
  readonly id: number;
  readonly model: string;
  readonly modelUri: string;
  readonly trackingId?: string | undefined;
  readonly modelType?: string | undefined;
  readonly idleTtlMs: number;
  /** Deployed before anybody asks, and never removed for being idle. */
  readonly keepWarm: boolean;
  readonly description?: string | undefined;
  readonly demands?: ServerDemands | undefined;
  readonly isEnabled: boolean;
  readonly createdAtMs: number;
  readonly updatedAtMs: number;
}

export interface NewConfiguration {
  readonly model: string;
  /** Needed unless `trackingId` or an inherited one gives it. */
  readonly modelUri?: string | undefined;
  readonly trackingId?: string | undefined;
  readonly idleTtlMs?: number | undefined;
  readonly keepWarm?: boolean | undefined;
  readonly description?: string | undefined;
  readonly demands?: ServerDemands | undefined;
  /** Whether an enabled one makes place; otherwise it is a conflict. Default `true`. */
  readonly replaces?: boolean | undefined;
  /** Whether what is not given is taken from the enabled one. Default `true`. */
  readonly inherits?: boolean | undefined;
}

/** What is given is changed; `null` clears. */
export interface ConfigurationChanges {
  readonly modelUri?: string | undefined;
  readonly trackingId?: string | null | undefined;
  /** `null` for the policy's. */
  readonly idleTtlMs?: number | null | undefined;
  readonly keepWarm?: boolean | undefined;
  readonly description?: string | null | undefined;
  readonly demands?: ServerDemands | null | undefined;
}

/**
 * On-demand models and the history of their configurations: of each model at most one is enabled, whoever writes at
 * the same time. A change concerns the next deployment; a running server stays as it is.
 */
export interface Configurations {
  /** Enabled ones by model; with `all`, disabled ones too. */
  list(
    options?: OperationOptions & { readonly all?: boolean | undefined },
  ): Promise<readonly Configuration[]>;
  /** Rejects `INVALID_REQUEST`, `CONFIGURATION_CONFLICT`, `TRACKED_MODEL_UNKNOWN`. */
  create(request: NewConfiguration, options?: OperationOptions): Promise<Configuration>;
  /** The enabled one, or `undefined`. */
  get(model: string, options?: OperationOptions): Promise<Configuration | undefined>;
  /** Newest first. The oldest disabled ones are dropped beyond 100 a model. */
  history(model: string, options?: OperationOptions): Promise<readonly Configuration[]>;
  /** Changes the enabled one in place. Rejects `CONFIGURATION_UNKNOWN`. */
  update(model: string, changes: ConfigurationChanges, options?: OperationOptions): Promise<Configuration>;
  /** Rejects `CONFIGURATION_UNKNOWN`. */
  disable(model: string, options?: OperationOptions): Promise<void>;
  /** Enables a version, old or new, in place of the one that is. Rejects `CONFIGURATION_UNKNOWN`. */
  enable(id: number, options?: OperationOptions): Promise<Configuration>;
}
