import type { Checkpoint } from "../checkpoint.ts";
import type { Clock } from "../contracts/clock.ts";
import type { ModelServer } from "../contracts/discovery.ts";
import type { ExchangeOutcome, Grant, Settlement } from "../contracts/ledger.ts";
import type { ObjectStore } from "../contracts/object-store.ts";
import type { OperationSpec, ServerProtocol } from "../contracts/server-protocol.ts";
import type { TaskRecord } from "../contracts/task.ts";
import { LateAbort } from "../late-abort.ts";
import type { KnownServer } from "../routing/server-directory.ts";

/** Why an attempt is told to stop what it does. */
export type StopReason = "cancel" | "lease" | "drain" | "timeout";

/** What an attempt needs of the runner around it. */
export interface AttemptHost {
  readonly clock: Clock;
  readonly random: () => number;
  readonly checkpoint: Checkpoint;
  readonly objects: ObjectStore;
  readonly inlineBytes: number;
  readonly storeTimeoutMs: number;
  protocol(name: string): ServerProtocol | undefined;
  server(id: string): KnownServer | undefined;
  /** Nothing that another process could go on with is begun or kept up any more. */
  isDraining(): boolean;
  /** Sends a settlement with the next exchange; resolves what the ledger said. */
  settle(item: Settlement): Promise<ExchangeOutcome>;
  /** What a call on a server came to, for its slots and its health. */
  observe(server: string, outcome: Observation): void;
  /** It has begun to send, or is now watched. For events. */
  onStarted(attempt: Attempt): void;
  onRunning(attempt: Attempt, runId: string | undefined): void;
}

export type Observation =
  /** Without a duration where that says nothing of the server's load. */
  | { readonly kind: "answered"; readonly durationMs?: number | undefined }
  | {
      readonly kind: "refused";
      readonly reason: string;
      readonly retryAfterMs?: number | undefined;
      readonly background: boolean;
    }
  | { readonly kind: "failed" };

/** One grant while this process works on it. */
export class Attempt {
  readonly grant: Grant;
  readonly task: TaskRecord;
  /** Stops the call under way. */
  readonly abort: LateAbort = new LateAbort();
  /** When the hold ends unless renewed, by the monotonic clock, counted from before the request was sent. */
  leaseEndsMs: number;
  renewedAtMs: number;
  /** When it was sent by an earlier attempt, perhaps of another process; else when it was granted. */
  readonly sentMs: number;
  /** The payload has begun to leave. */
  isSent = false;
  /** The incarnation of the server that it was sent to, where it can be told. */
  sentInstance: string | undefined;
  /** Whether it calls a server in the foreground; background work and recoveries do not. */
  holdsSlot: boolean;
  /** Whether nothing was told to the ledger since the grant, so that the task is known here as it is there. */
  isAsGranted: boolean;
  /** Nothing of it is under way here but a look at the server now and then. */
  isWatching = false;
  /** The slot has been given back to this process's own count. */
  isSlotFreed = false;
  isCancelRequested = false;
  /** Set once; what the call is aborted with. */
  stopReason: StopReason | undefined;
  /** Frees what the attempt holds for the time of its call. */
  release: () => void = () => {};
  /** Wakes a watching attempt before its pause is over. */
  #onNudge: (() => void) | undefined;

  constructor(grant: Grant, sentAtMs: number, leaseMs: number) {
    this.grant = grant;
    this.task = grant.task;
    this.leaseEndsMs = sentAtMs + leaseMs;
    this.renewedAtMs = sentAtMs;
    // By the store's clock: the lease was set when the grant was made.
    const { leaseExpiresAtMs, sentAtMs: taskSentAtMs } = grant.task;
    const isKnown = leaseExpiresAtMs !== undefined && taskSentAtMs !== undefined;
    this.sentMs = sentAtMs - (isKnown ? Math.max(0, leaseExpiresAtMs - leaseMs - taskSentAtMs) : 0);
    this.isAsGranted = grant.kind === "run" && grant.task.cancelRequestedAtMs === undefined;
    this.holdsSlot = grant.kind === "run" && !grant.task.background;
  }

  get id(): string {
    return this.task.id;
  }

  get number(): number {
    return this.grant.attempt;
  }

  get isLost(): boolean {
    return this.stopReason === "lease";
  }

  /** Stops the call under way. The first reason stands, but a lost lease overrides all. */
  stop(reason: StopReason): void {
    if (this.stopReason === undefined || reason === "lease") this.stopReason = reason;
    this.abort.abort(new Error(`attempt stopped: ${reason}`));
    this.nudge();
  }

  /** Somebody wants the task cancelled. What may be interrupted is; a run that may not be is asked to end. */
  requestCancel(): void {
    if (this.isCancelRequested) return;
    this.isCancelRequested = true;
    if (this.task.repeatable && this.grant.kind === "run") this.stop("cancel");
    this.nudge();
  }

  nudge(): void {
    this.#onNudge?.();
  }

  /** Resolves after `delayMs`, or as soon as something about the attempt changes. Check `stopReason` right before. */
  pause(clock: Clock, delayMs: number): Promise<void> {
    return new Promise((resolve) => {
      const wake = (): void => {
        cancel();
        this.#onNudge = undefined;
        resolve();
      };
      const cancel = clock.after(delayMs, wake);
      this.#onNudge = wake;
    });
  }

  ref(): { readonly id: string; readonly attempt: number } {
    return { id: this.id, attempt: this.number };
  }
}

/** Where the results of an attempt go; the attempt in the key keeps a late one from overwriting the winner's. */
export function resultKey(attempt: Attempt): string {
  return `results/${attempt.id}/${attempt.number}`;
}

/** A server of the grant that can be spoken to, with the operation's specification. */
export interface Target {
  readonly server: ModelServer;
  readonly protocol: ServerProtocol;
  readonly spec: OperationSpec;
}

export function targetOf(attempt: Attempt, host: AttemptHost): Target | undefined {
  const server = host.server(attempt.grant.server)?.server;
  const protocol = server === undefined ? undefined : host.protocol(server.protocol);
  const spec = protocol?.operations.get(attempt.task.operation);
  return server === undefined || protocol === undefined || spec === undefined
    ? undefined
    : { server, protocol, spec };
}

/** Time limit of the request itself. */
export function callTimeoutMs(spec: OperationSpec): number {
  return spec.callTimeoutMs ?? (spec.background ? Math.min(spec.timeoutMs, 120_000) : spec.timeoutMs);
}
