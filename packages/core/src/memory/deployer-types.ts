import type { Clock } from "../contracts/clock.ts";
import type { DeployedState, DeploymentIdentity, LogLine, ServerSpec } from "../contracts/deployer.ts";
import type { GatewayErrorCode } from "../errors.ts";
import type { MemoryDiscovery } from "./discovery.ts";

/** How a server behaves from one start to its end. */
export interface MemoryServerBehaviour {
  /** From its start until it is ready. Default 0; `Infinity`: never. */
  readonly readyAfterMs?: number | undefined;
  /** It ends by itself. */
  readonly exit?: { readonly afterMs: number; readonly code: number } | undefined;
  /** What it takes. More than `limits.memoryBytes` ends it as out of memory, after `exit.afterMs` or at once. */
  readonly memoryBytes?: number | undefined;
  /** Why the engine cannot start it. */
  readonly startFailure?: string | undefined;
  /** From being asked to stop until it ends. Default 0; `Infinity`: never, so that it is killed after the grace. */
  readonly stopsAfterMs?: number | undefined;
  /** What it writes when it starts. */
  readonly lines?: readonly LogLine[] | undefined;
  /** Slots that it has, as its discovery tells. Default: unknown. */
  readonly limit?: number | undefined;
}

/** Tells how a server behaves; `starts` counts its starts, from 1. */
export type MemoryBehaviour = (
  spec: ServerSpec,
  identity: DeploymentIdentity,
  starts: number,
) => MemoryServerBehaviour;

/** An image that can be had. */
export interface MemoryImage {
  /** Whether it is on the host; else it has to be pulled. Default `true`. */
  readonly isHere?: boolean | undefined;
  /** How long a pull takes. Default 0. */
  readonly pullMs?: number | undefined;
  /** Default 1000. */
  readonly sizeBytes?: number | undefined;
  /** Default: made of its name. */
  readonly digest?: string | undefined;
  /** The registry refuses to give it. */
  readonly isRefused?: boolean | undefined;
}

export interface MemoryEngineOptions {
  /** Default: the host's time. */
  readonly clock?: Clock | undefined;
  /** Is told of the servers: `starting`, `ready`, `draining`, gone. It stays open. */
  readonly discovery?: MemoryDiscovery | undefined;
  /** Default: a server is ready at once, and runs until it is asked to stop. */
  readonly behaviour?: MemoryBehaviour | undefined;
  /** By name; others are missing. Default: every image is here. */
  readonly images?: Readonly<Record<string, MemoryImage>> | undefined;
  /** How long the engine takes for each call. Default 0. */
  readonly delays?:
    | {
        readonly createMs?: number | undefined;
        readonly startMs?: number | undefined;
        readonly removeMs?: number | undefined;
        readonly listMs?: number | undefined;
      }
    | undefined;
  /** How long a deployer waits for an engine that hangs. Default 10,000. */
  readonly timeoutMs?: number | undefined;
  /** What the servers that run may take together, by `reservations` or else `limits`. Default: no bound. */
  readonly memoryBytes?: number | undefined;
  /** Graphics cards of the host. Default 0. */
  readonly gpus?: number | undefined;
  /** The protocol of the servers. Default `memory`. */
  readonly protocol?: string | undefined;
}

export type MemoryEngineMethod = "prepare" | "create" | "start" | "remove" | "list" | "logs";

/** A call as it reached the engine. */
export interface MemoryEngineCall {
  readonly method: MemoryEngineMethod;
  /** The model, the id or the installation that it was about. */
  readonly subject: string;
  /** By the engine's clock, which only goes forward. */
  readonly atMs: number;
  /** Absent while it goes on. */
  readonly endedAtMs?: number | undefined;
  readonly outcome?: "done" | GatewayErrorCode | undefined;
}

/** What happened on the engine, whether or not somebody heard of it. */
export interface MemoryEngineEvent {
  readonly kind: "pulled" | "created" | "started" | "ready" | "stopped" | "removed";
  readonly atMs: number;
  /** The server, or the image that was pulled. */
  readonly id: string;
  readonly model?: string | undefined;
}

/** A server as its engine sees it. */
export interface MemoryServer {
  readonly id: string;
  readonly name: string;
  readonly state: DeployedState;
  /** Absent for a stranger. */
  readonly identity?: DeploymentIdentity | undefined;
  /** With its secrets: for tests, which look at what a process would be started with. */
  readonly spec: ServerSpec;
}
