import type { Closable, OperationOptions, Page } from "./common.ts";
import type {
  Amendment,
  AmendOutcome,
  ExchangeOutcome,
  ExchangeRequest,
  GetOptions,
  Grant,
  LedgerStats,
  ListRequest,
  NewTask,
  OrphanHold,
  SubmitOutcome,
  SweepReply,
  SweepRequest,
} from "./ledger.ts";
import type { QueueLane } from "./queue.ts";
import type { TaskRecord } from "./task.ts";

/** A waiting task that a queue offered for a slot. */
export interface Claim {
  readonly id: string;
  /** Servers that could take it, the preferred one first; the store takes the first with a free slot. */
  readonly servers: readonly {
    readonly server: string;
    readonly instance?: string | undefined;
    readonly limit: number;
  }[];
}

/**
 * - `granted`: it now is `scheduled`; the delivery is done with.
 * - `full`: still waiting, but no server of the claim has room; give the delivery back.
 * - `not_yet`: still waiting, but for its back-off; give the delivery back until `delayMs` has passed.
 * - `gone`: no longer waiting, or unknown; the delivery is done with.
 */
export type ClaimOutcome =
  | { readonly outcome: "granted"; readonly grant: Grant }
  | { readonly outcome: "full" | "gone" }
  | { readonly outcome: "not_yet"; readonly delayMs: number };

/** The part of an exchange that needs no order: everything but `want`. */
export type ApplyRequest = Omit<ExchangeRequest, "want"> & {
  /** The servers whose load and orphan holds are asked for. */
  readonly servers: readonly string[];
};

export interface ApplyReply {
  /** The store's clock, in milliseconds since the epoch. */
  readonly nowMs: number;
  readonly settled: readonly ExchangeOutcome[];
  readonly renewed: readonly ExchangeOutcome[];
  /** Recoveries of this sequence, and on a repeated one also what was claimed under it. */
  readonly grants: readonly Grant[];
  /** Whether this sequence was applied before. */
  readonly repeated: boolean;
  readonly orphanHolds: readonly OrphanHold[];
  /** Tasks that are waiting again because of this call, for the queue. */
  readonly returned: readonly TaskRecord[];
  /** Slots in use by server. */
  readonly used: Readonly<Record<string, number>>;
  /** Of the servers asked for, those on which background work holds now. */
  readonly held: readonly string[];
}

export interface ClaimRequest {
  readonly runner: string;
  readonly incarnation: string;
  /** The sequence that was just applied; grants are remembered under it. */
  readonly sequence: number;
  readonly leaseMs: number;
  readonly claims: readonly Claim[];
}

/** A lane, and how much of it is asked for. */
export interface DueLane extends QueueLane {
  /** 1 to 1000. */
  readonly max: number;
}

/** Waiting tasks in the order in which they should start. */
export interface DueListRequest {
  /** At most `max` of each lane, lowest rank first over all of them, ties by id. */
  readonly due: readonly DueLane[];
  /** The `nextCursor` of the page before; with one lane only. */
  readonly cursor?: string | undefined;
}

/**
 * Rows of tasks and compare-and-set transitions fenced by attempt; no order. `composeLedger` makes a Ledger of it and
 * a Queue. Points 1 to 5 and 7 of the Ledger's prose bind it.
 */
export interface TaskStore extends Closable {
  readonly capabilities: { readonly shared: boolean; readonly durable: boolean };
  /** As `Ledger.submit`. */
  insert(batch: readonly NewTask[], options?: OperationOptions): Promise<readonly SubmitOutcome[]>;
  /** As `Ledger.exchange` without new work. Rejects `STALE_RUNNER`. */
  apply(request: ApplyRequest, options?: OperationOptions): Promise<ApplyReply>;
  /** Compare-and-set from `pending` to `scheduled`, within the servers' limits. Rejects `STALE_RUNNER`. */
  claim(request: ClaimRequest, options?: OperationOptions): Promise<readonly ClaimOutcome[]>;
  /** As `Ledger.get`. */
  get(ids: readonly string[], options?: GetOptions): Promise<readonly (TaskRecord | undefined)[]>;
  /**
   * As `Ledger.list`; or, with `due`, waiting tasks of some lanes whose back-off is over (known at the latest a second
   * after). What this costs grows with what it returns, not with what waits. It has a `nextCursor` when one lane was
   * asked for and more of it is due. It is for a queue that is away, or has to be filled again: nothing is taken.
   */
  list(request?: ListRequest | DueListRequest, options?: OperationOptions): Promise<Page<TaskRecord>>;
  /** As `Ledger.amend`. */
  amend(batch: readonly Amendment[], options?: OperationOptions): Promise<readonly AmendOutcome[]>;
  /** As `Ledger.sweep`. */
  sweep(request: SweepRequest, options?: OperationOptions): Promise<SweepReply>;
  /** As `Ledger.stats`. */
  stats(options?: OperationOptions): Promise<LedgerStats>;
}
