import type { GatewayError } from "../errors.ts";
import type { Closable, OperationOptions, Page } from "./common.ts";
import type {
  BodyRef,
  ResultRef,
  TaskError,
  TaskIdentity,
  TaskRecord,
  TaskState,
  TerminalState,
} from "./task.ts";

/** A task to accept. Instants are not given: the store's clock sets them. */
export interface NewTask extends Omit<TaskIdentity, "createdAtMs" | "deadlineAtMs" | "payload"> {
  /** An integer, 0 to 10. */
  readonly priority: number;
  /** What one priority level is worth in waiting; fixes the rank. */
  readonly boostMs: number;
  /** How long it may wait in all before it fails with `WAIT_DEADLINE`. */
  readonly waitMs: number;
  /** With `inline` bytes, or with the `key` of an object that is already stored. */
  readonly payload: BodyRef;
  /** Makes a repeated request harmless whose task's id its sender does not know. */
  readonly idempotency?: IdempotencyRef | undefined;
}

/** A sender's own name for a request; unique for (owner, model, operation, key). */
export interface IdempotencyRef {
  /** 1 to 255 characters. */
  readonly key: string;
  /** Digest of what was asked for, by which a key that is used for something else is told. 1 to 128 characters. */
  readonly digest: string;
  /** How long the key is remembered, by the store's clock; the task's row is kept as long. */
  readonly keepMs: number;
}

/** What became of one item of a submitted batch. */
export type SubmitOutcome =
  | { readonly outcome: "accepted"; readonly task: TaskRecord }
  /** Its idempotency key stands for this earlier task, which asked for the same; nothing of the item was kept. */
  | { readonly outcome: "duplicate"; readonly task: TaskRecord }
  /** This item alone was not taken; nothing of it was kept. */
  | { readonly outcome: "refused"; readonly error: GatewayError };

/** Names one attempt at one task. */
export interface AttemptRef {
  readonly id: string;
  readonly attempt: number;
}

/**
 * What the holder of an attempt reports. All are idempotent per (task, attempt).
 *
 * - `sent`: the first byte is about to leave. For work that is not repeatable this is committed before it does.
 * - `running`: the server accepted it and works in the background under `runId`. Frees the slot, keeps the hold.
 * - `succeeded`, `failed`, `cancelled`: the ending. A result is stored before it is named here.
 * - `returned`: handed back, to be granted again with its old rank.
 * - `abandoned`: the holder stops watching; what was sent goes on, and another attempt finds out what becomes of it.
 */
export type Settlement = AttemptRef &
  (
    | { readonly kind: "sent"; readonly server: string; readonly instance?: string | undefined }
    | {
        readonly kind: "running";
        readonly runId?: string | undefined;
        readonly instance?: string | undefined;
      }
    | { readonly kind: "succeeded"; readonly result: ResultRef; readonly releaseHold: boolean }
    | {
        readonly kind: "failed";
        readonly error: TaskError;
        /** The server's answer, for whoever may read results. */
        readonly result?: ResultRef | undefined;
        readonly releaseHold: boolean;
      }
    | { readonly kind: "cancelled"; readonly releaseHold: boolean }
    | { readonly kind: "abandoned" }
    | {
        readonly kind: "returned";
        /** Whether this attempt counts towards `maxFailures`. Waiting is not failing. */
        readonly counts: boolean;
        /** Not granted again before; 0 for at once. */
        readonly delayMs: number;
        /** Why, kept as the last error; required when it counts. */
        readonly error?: TaskError | undefined;
        readonly releaseHold: boolean;
      }
  );

/** A server that a runner can call now, and what it may be given for it. */
export interface ServerWant {
  /** The same in every process and discovery. */
  readonly server: string;
  readonly instance?: string | undefined;
  /** Slots of this server over all runners; the ledger counts unexpired leases against it. */
  readonly limit: number;
  /** At most so many slots are granted in this exchange; never above what can start now. */
  readonly max: number;
  /** The lanes that it serves. */
  readonly models: readonly string[];
  /** Whether it may be given background work. */
  readonly background: boolean;
  /** Lower is preferred among servers with equal load. */
  readonly cost: number;
}

export interface ExchangeRequest {
  /** Who asks; the same name over restarts where it has one. */
  readonly runner: string;
  /** New at each start of the runner. Grants of an earlier incarnation are no longer its own. */
  readonly incarnation: string;
  /** 1, 2, 3, …; repeated unchanged when the reply to it was lost. */
  readonly sequence: number;
  /** The highest sequence whose reply arrived; grants of later ones that are not repeated go back. */
  readonly acknowledged: number;
  /** How long grants and renewals last. A duration: expiry is judged by the store's clock. */
  readonly leaseMs: number;
  readonly settle: readonly Settlement[];
  readonly renew: readonly RenewRef[];
  readonly want: readonly ServerWant[];
  /** How many sent tasks without a holder it would take over, to find out what became of them. */
  readonly recover: number;
  /** Holds whose server was seen idle, to be released if the task named still has them. */
  readonly release: readonly HoldRef[];
}

/** One attempt to keep. */
export interface RenewRef extends AttemptRef {
  /** The payload has begun to leave; lets a crash from now on count as a failure. */
  readonly sent: boolean;
}

/** Background work's taking of a server. */
export interface HoldRef {
  readonly server: string;
  /** The task that took it. */
  readonly id: string;
  /** The attempt that took it; a later attempt of the task may have taken it over. */
  readonly attempt: number;
}

/**
 * - `accepted`: done, now or earlier by this same attempt.
 * - `cancel_requested`: done, and somebody wants the task cancelled.
 * - `stale`: this attempt no longer holds the task; `attempt` and `state` say who does, or how it ended.
 * - `unknown`: there is no such task (any more).
 * - `refused`: this one item could not be written; the attempt still holds the task.
 */
export type ExchangeOutcome =
  | { readonly outcome: "accepted" | "cancel_requested" | "unknown" }
  | { readonly outcome: "stale"; readonly attempt: number; readonly state: TaskState }
  | { readonly outcome: "refused"; readonly error: GatewayError };

/** A task, its attempt and a slot on a server, handed to one runner. */
export interface Grant {
  /** `run`: send it. `recover`: it was sent by an earlier attempt; find out what became of it, send nothing. */
  readonly kind: "run" | "recover";
  readonly attempt: number;
  readonly server: string;
  /** Includes the inline payload where the ledger keeps it. */
  readonly task: TaskRecord;
}

export interface ExchangeReply {
  readonly sequence: number;
  /** The store's clock, in milliseconds since the epoch, when this was done; endings accepted by it carry it. */
  readonly nowMs: number;
  /** One for each item of `settle`, in order. */
  readonly settled: readonly ExchangeOutcome[];
  /** One for each item of `renew`, in order. */
  readonly renewed: readonly ExchangeOutcome[];
  readonly grants: readonly Grant[];
  /** Holds on the servers of `want` whose task has no holder any more: released once somebody saw the server idle. */
  readonly orphanHolds: readonly OrphanHold[];
  /** When a delayed task of a wanted lane becomes ready; absent when none is known. A hint. */
  readonly nextDueInMs?: number | undefined;
}

/** A hold that nobody looks after: its task waits again, is at work on another server, or has ended. */
export interface OrphanHold extends HoldRef {
  /** The incarnation of the server that was taken, where it was known. */
  readonly instance?: string | undefined;
}

/** A wish about one task by somebody who does not hold it. */
export type Amendment =
  | { readonly kind: "cancel"; readonly id: string }
  | {
      readonly kind: "reprioritise";
      readonly id: string;
      readonly priority: number;
      readonly boostMs: number;
    };

/**
 * - `done`: cancelled at once, or the new rank is set.
 * - `requested`: the holder is told by its next exchange.
 * - `too_late`: it has ended, or (for a new priority) started.
 * - `unknown`: no such task.
 */
export interface AmendOutcome {
  readonly outcome: "done" | "requested" | "too_late" | "unknown";
  /** As it is afterwards; absent when unknown. */
  readonly task?: TaskRecord | undefined;
}

export interface GetOptions extends OperationOptions {
  /** Which inline bytes come with the records; none by default. */
  readonly bodies?: "none" | "payload" | "result" | undefined;
}

export interface TaskFilter {
  readonly states?: readonly TaskState[] | undefined;
  readonly model?: string | undefined;
  readonly operation?: string | undefined;
  readonly owner?: string | undefined;
  readonly createdFromMs?: number | undefined;
  /** Exclusive. */
  readonly createdBeforeMs?: number | undefined;
}

export interface ListRequest {
  /** All of it must hold: `states`, `model`, `operation`, `owner`, `createdFromMs`, `createdBeforeMs`. Default: all tasks. */
  readonly filter?: TaskFilter | undefined;
  /** The `nextCursor` of the page before. */
  readonly cursor?: string | undefined;
  /** 1 to 1000; 100 by default. */
  readonly limit?: number | undefined;
}

export interface SweepRequest {
  /** At most so many tasks are changed in one call, so that no caller is held up. */
  readonly limit: number;
  /** Lanes that had no server for longer than allowed: their waiting tasks fail with `NO_SERVER`. */
  readonly unserved: readonly string[];
  /**
   * Lanes whose server could not be started: their waiting tasks fail with this error, also in a lane that is
   * `unserved` too. A lane is named once.
   */
  readonly failing?: readonly FailingLane[] | undefined;
  /** Ages after the ending, in milliseconds. Absent means kept. */
  readonly retention?:
    | { readonly payloadMs: number; readonly resultMs: number; readonly rowMs: number }
    | undefined;
}

/** A lane that nobody can serve, and why. */
export interface FailingLane {
  readonly model: string;
  readonly error: TaskError;
}

export interface SweepReply {
  /** Tasks that went back to their lane because their lease had ended. */
  readonly returned: readonly TaskRecord[];
  /** Tasks that this sweep ended. */
  readonly ended: readonly TaskRecord[];
  /** Objects that no row names any more and that the caller deletes. */
  readonly unreferencedKeys: readonly string[];
  /** Whether the limit cut it short. */
  readonly more: boolean;
}

export interface LaneStats {
  readonly model: string;
  /** Tasks in state `pending`. */
  readonly waiting: number;
  /** Bytes of their payloads. */
  readonly waitingBytes: number;
  /** The lowest rank of those whose back-off is over, background or not; absent when all are delayed. */
  readonly firstRank?: number | undefined;
}

export interface LedgerStats {
  /** Lanes with at least one waiting task. */
  readonly lanes: readonly LaneStats[];
  readonly scheduled: number;
  readonly running: number;
}

export interface LedgerCapabilities {
  /** Whether other processes may use the same ledger at the same time. */
  readonly shared: boolean;
  /** Whether what was accepted survives the end of the process. */
  readonly durable: boolean;
  /** Whether every grant is the lowest rank of all lanes that have a slot, or only nearly. */
  readonly order: "exact" | "bands";
  /**
   * Whether calls of one process take effect as if in the order in which they were made, so that an exchange sees
   * what was submitted right before it.
   */
  readonly inOrder: boolean;
}

/**
 * The truth about tasks, and the only thing that the runner knows.
 *
 * What must hold, whatever the backend:
 *
 * 1. `submit` resolves after the rows and inline bytes are as durable as the backend makes them, never before.
 * 2. A batch never fails because of one item: the bad one gets its own outcome.
 * 3. The ledger mints the attempt, one more than the last, in the transaction that grants; only the attempt minted
 *    last may change the task, and it may until a later one is minted, the task is taken back or it has ended.
 * 4. In that same transaction, attempts that hold a slot on a server plus new ones stay within `limit`, whoever holds
 *    them: an attempt holds one while its task is `scheduled`, neither background nor recovering, and not yet taken
 *    back. Background work takes the server's one hold instead. A hold outlives its task until it is released.
 * 5. A terminal state never changes. The same settlement again is `accepted`.
 * 6. Grants go to the lowest rank among the lanes that have a slot; a lane without one holds up no other.
 * 7. Expiry is judged by the store's clock; callers hand in durations.
 *
 * A rejected call may have taken effect (its reply was lost). Every method is safe to repeat: `submit` by task id,
 * `exchange` by (runner, incarnation, sequence), the others by their nature.
 */
export interface Ledger extends Closable {
  readonly capabilities: LedgerCapabilities;
  /**
   * Accepts tasks as `pending`. One outcome for each, in order. An id that exists already with the same identity is
   * `accepted` and unchanged. An idempotency key that is remembered makes it a `duplicate` of its task, or, with
   * another digest, `refused` with `IDEMPOTENCY_MISMATCH`; key and task are written in one transaction, and two of
   * one batch count too. Rejects `CLOSED`, `STORE_UNAVAILABLE`, `STORE_FULL`.
   */
  submit(batch: readonly NewTask[], options?: OperationOptions): Promise<readonly SubmitOutcome[]>;
  /**
   * Settles, renews and grants in one transaction. A repeated sequence settles and renews again, which is harmless,
   * and gives the same grants. Rejects `STALE_RUNNER` when a newer incarnation or sequence of this runner was seen.
   */
  exchange(request: ExchangeRequest, options?: OperationOptions): Promise<ExchangeReply>;
  /** The tasks by id, in order; `undefined` for an unknown one. */
  get(ids: readonly string[], options?: GetOptions): Promise<readonly (TaskRecord | undefined)[]>;
  /** Newest first by (createdAtMs, id). A task that exists during the whole walk is met exactly once. */
  list(request?: ListRequest, options?: OperationOptions): Promise<Page<TaskRecord>>;
  /** Cancels, or changes the priority of, waiting tasks; asks the holder to cancel the others. */
  amend(batch: readonly Amendment[], options?: OperationOptions): Promise<readonly AmendOutcome[]>;
  /**
   * Takes back what leases have left, ends what waited too long, forgets what retention names. Any number of
   * processes may call it at any time.
   */
  sweep(request: SweepRequest, options?: OperationOptions): Promise<SweepReply>;
  /** Cheap: never a scan over all rows; what it costs grows with the lanes in which something waits. */
  stats(options?: OperationOptions): Promise<LedgerStats>;
}

/** A task that has ended. */
export interface EndedTask extends TaskRecord {
  readonly state: TerminalState;
}
