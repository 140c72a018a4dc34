import type { TerminalState } from "./contracts/task.ts";
import type { DeploymentState } from "./deployments/api.ts";
import type { DrainReason } from "./deployments/entry.ts";
import type { GatewayErrorCode } from "./errors.ts";

/** Names a task in an event. No payload, result or server text is ever in one. */
export interface TaskEvent {
  readonly id: string;
  readonly model: string;
  readonly operation: string;
}

export interface AttemptEvent extends TaskEvent {
  readonly attempt: number;
  readonly server: string;
}

/** What the gateway tells those who listen. Observations: nothing inside depends on a listener. */
export interface GatewayEvents {
  /** A task was accepted and is durable. */
  "task:submitted": (event: TaskEvent & { readonly priority: number }) => void;
  /** An attempt of this gateway began. */
  "task:started": (event: AttemptEvent) => void;
  /** The server accepted it and works in the background. */
  "task:running": (event: AttemptEvent & { readonly runId?: string | undefined }) => void;
  /** An attempt was handed back, and the task waits again. */
  "task:returned": (
    event: AttemptEvent & { readonly counts: boolean; readonly code?: string | undefined },
  ) => void;
  /** A task reached its terminal state, as far as this process had to do with it. */
  "task:ended": (
    event: TaskEvent & {
      readonly state: TerminalState;
      readonly attempt: number;
      readonly code?: string | undefined;
    },
  ) => void;
  /**
   * A request that went straight to a server is over; its slot is free. `broken`: no usable answer, or only a part of
   * one; `aborted`: its caller, or this gateway's end, stopped it.
   */
  "direct:ended": (event: {
    readonly model: string;
    readonly server: string;
    readonly durationMs: number;
    readonly outcome: "answered" | "upgraded" | "broken" | "aborted";
  }) => void;
  /** A server became selectable, or stopped being so. */
  "server:changed": (event: {
    readonly server: string;
    readonly state: string;
    readonly models: readonly string[];
  }) => void;
  /** A server that kept failing gets no work for a while. */
  "server:ejected": (event: { readonly server: string; readonly forMs: number }) => void;
  /** A deployment came into another state, as far as this process noticed; `gone` when it was removed. */
  "deployment:changed": (event: {
    readonly model: string;
    readonly generation: string;
    readonly kind: "manual" | "auto";
    readonly state: DeploymentState | "gone";
    /** Why a try failed. */
    readonly code?: string | undefined;
    /** Of `gone`, when this process removed the server: why, and how long after its last activity. */
    readonly removed?: { readonly why: DrainReason; readonly idleMs: number } | undefined;
  }) => void;
  /** Whether servers that were deployed are to go was looked at; how many there are. */
  "deployments:checked": (event: { readonly manual: number; readonly auto: number }) => void;
  /** The object store was searched for what no row names. */
  "objects:swept": (event: { readonly examined: number; readonly deleted: number }) => void;
  /** An adapter failed; the gateway goes on and tries again. */
  "adapter:failed": (event: {
    readonly adapter: string;
    readonly operation: string;
    readonly code: GatewayErrorCode | "UNKNOWN";
  }) => void;
  /** A listener threw. */
  "listener:failed": (event: { readonly event: string }) => void;
}
