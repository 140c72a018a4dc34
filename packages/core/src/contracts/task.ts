/** The states of a task, in the order in which a task meets them. The last three are terminal. */
export const TASK_STATES = ["pending", "scheduled", "running", "succeeded", "failed", "cancelled"] as const;

/**
 * - `pending`: waits in its lane, or for its back-off to end.
 * - `scheduled`: an attempt holds it; a server is being called.
 * - `running`: the server accepted it and works in the background; the attempt watches the run.
 * - `succeeded`, `failed`, `cancelled`: terminal; never changes again.
 */
export type TaskState = (typeof TASK_STATES)[number];

/** A state that never changes again. */
export type TerminalState = "succeeded" | "failed" | "cancelled";

/** Where the bytes of a payload or a result are. Exactly one of `inline` and `key` leads to them. */
export interface BodyRef {
  readonly sizeBytes: number;
  /** The media type exactly as it came, parameters included; absent when the sender named none. */
  readonly contentType?: string | undefined;
  /** Key in the ObjectStore; absent when the ledger keeps the bytes itself. */
  readonly key?: string | undefined;
  /** The bytes, when the ledger keeps them and the reader asked for them. */
  readonly inline?: Uint8Array | undefined;
  /** The bytes are gone because retention said so. */
  readonly isForgotten?: boolean | undefined;
}

/** What the server answered, as it came. */
export interface ResultRef extends BodyRef {
  /** The server's own status number, opaque to the core; absent when the protocol has none. */
  readonly status?: number | undefined;
  /** The server's `Content-Disposition` header, as it came. */
  readonly disposition?: string | undefined;
}

/** Why a task failed, in words that quote neither payload nor server. The server's own words are kept as the result. */
export interface TaskError {
  /** A code of the error table (`docs/reference/errors.md`). */
  readonly code: string;
  /** A fixed sentence. */
  readonly message: string;
  /** The server's status number, where there was an answer. */
  readonly status?: number | undefined;
}

/** What a task is; never changes after `submit`. */
export interface TaskIdentity {
  /** Unique everywhere; also the tracking id by which a server knows a run. 1 to 128 of `[A-Za-z0-9_-]`. */
  readonly id: string;
  readonly model: string;
  /** The named operation: `process`, `redact`, `train_supervised`, … */
  readonly operation: string;
  /** The user or key that it belongs to; empty when nobody in particular. */
  readonly owner: string;
  /** The query string for the server, byte for byte, without the question mark; empty when there is none. */
  readonly query: string;
  /** Where it came from, for people: an address and a user agent. */
  readonly source?: string | undefined;
  /** The ended task that this one repeats. */
  readonly retryOf?: string | undefined;
  /** Whether sending it twice is harmless. Declared by the server protocol, recorded when the task was made. */
  readonly repeatable: boolean;
  /** Whether the server works on it after answering. It takes a hold on a server in place of a slot. */
  readonly background: boolean;
  /** Counted failures after which a repeatable task fails for good. */
  readonly maxFailures: number;
  readonly payload: BodyRef;
  /** When the ledger accepted it, by the store's clock, in milliseconds since the epoch. */
  readonly createdAtMs: number;
  /** When it stops waiting and fails with `WAIT_DEADLINE`, by the store's clock. */
  readonly deadlineAtMs: number;
}

/** How far a task has come; changes only through the state machine. */
export interface TaskProgress {
  readonly state: TaskState;
  /** 0 (background) to 10 (urgent). */
  readonly priority: number;
  /** `createdAtMs − priority × boostMs`; the lowest goes first, ties by id. */
  readonly rank: number;
  /** Number of the current or last attempt; 0 before the first. The fencing token. */
  readonly attempt: number;
  /** Attempts that counted as a failure. */
  readonly failures: number;
  /** Attempts that ended with their holder before anything was known to be sent. */
  readonly lostAttempts: number;
  /** The runner that holds the current attempt. */
  readonly holder?: string | undefined;
  /** When the hold on the task ends unless renewed, by the store's clock. */
  readonly leaseExpiresAtMs?: number | undefined;
  /** The server of the current or last attempt. */
  readonly server?: string | undefined;
  /** Which incarnation of that server, where discovery or protocol can tell. */
  readonly instance?: string | undefined;
  /** When the current attempt was known to be (about to be) sent, by the store's clock. */
  readonly sentAtMs?: number | undefined;
  /** The run that the server named when it accepted background work. */
  readonly runId?: string | undefined;
  /** The current attempt finds out what became of an earlier send; it sends nothing itself and takes no slot. */
  readonly recovering: boolean;
  /** Back-off: not granted before, by the store's clock. */
  readonly notBeforeAtMs?: number | undefined;
  /** First grant. */
  readonly startedAtMs?: number | undefined;
  /** When it reached its terminal state. */
  readonly finishedAtMs?: number | undefined;
  readonly cancelRequestedAtMs?: number | undefined;
  /** The last error, kept also when the task goes on. */
  readonly error?: TaskError | undefined;
  readonly result?: ResultRef | undefined;
  /** Whether the holder of `attempt` wrote the ending, or the ledger itself did (deadline, cancel, lease). */
  readonly endedBy?: "attempt" | "ledger" | undefined;
}

/** A task as the ledger tells it. */
export interface TaskRecord extends TaskIdentity, TaskProgress {}
