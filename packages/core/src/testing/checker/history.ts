import type { ExchangeOutcome, HoldRef, RenewRef, ServerWant, Settlement } from "../../contracts/ledger.ts";
import type { TaskRecord, TaskState } from "../../contracts/task.ts";
import type { Claim, ClaimOutcome } from "../../contracts/task-store.ts";

/** Names one grant, without the task itself. */
export interface GrantView {
  readonly kind: "run" | "recover";
  readonly id: string;
  readonly attempt: number;
  readonly server: string;
}

/** What clients asked for, and what they were told. */
export type ClientEvent =
  /** A client is about to submit it; `answer` is the digest of the only right result. */
  | { readonly kind: "offered"; readonly id: string; readonly answer: string; readonly isValid: boolean }
  /** A gateway's `submit` or `retry` resolved for it. */
  | { readonly kind: "accepted"; readonly id: string; readonly by: string }
  | { readonly kind: "refused"; readonly id: string; readonly code: string }
  /** Nobody told the client what became of its submit. */
  | { readonly kind: "unclear"; readonly id: string }
  /** A reader was shown the task in this state. */
  | { readonly kind: "seen"; readonly id: string; readonly state: TaskState; readonly askedAtMs: number }
  /** A reader asked for the result right after it had seen the task end. */
  | {
      readonly kind: "read";
      readonly id: string;
      readonly state: TaskState;
      readonly askedAtMs: number;
      /** `ok`, or the code of the error. */
      readonly outcome: string;
      readonly digest?: string | undefined;
    }
  /** A call on a live gateway that never came back. */
  | { readonly kind: "hung"; readonly call: string; readonly by: string };

/** What crossed the border of the store that all processes share, in the order in which it took effect. */
export type StoreEvent =
  /** A task's row is new or has changed; follows directly what changed it. */
  | { readonly kind: "row"; readonly cause: StoreCause; readonly storeMs: number; readonly task: TaskRecord }
  | {
      readonly kind: "exchange";
      readonly by: string;
      readonly runner: string;
      readonly incarnation: string;
      readonly sequence: number;
      readonly storeMs: number;
      readonly settle: readonly Settlement[];
      readonly settled: readonly ExchangeOutcome[];
      readonly renew: readonly RenewRef[];
      readonly release: readonly HoldRef[];
      readonly want: readonly ServerWant[];
      readonly grants: readonly GrantView[];
    }
  | {
      readonly kind: "claim";
      readonly by: string;
      readonly runner: string;
      readonly incarnation: string;
      readonly sequence: number;
      readonly storeMs: number;
      readonly claims: readonly Claim[];
      readonly outcomes: readonly ClaimOutcome["outcome"][];
      readonly grants: readonly GrantView[];
    }
  | { readonly kind: "object"; readonly change: "put" | "deleted"; readonly key: string };

/** What changed a row. */
export type StoreCause = "submit" | "exchange" | "claim" | "amend" | "sweep";

/** What a model server did, by its own account, and what passed between it and the gateways. */
export type ServerEvent =
  /** The first byte left. `call` is unique. */
  | {
      readonly kind: "sent";
      readonly call: number;
      readonly id: string;
      readonly by: string;
      readonly server: string;
      readonly instance: string;
    }
  /** What the gateway was told of the call, or that it gave it up (`aborted`) or died (`gone`). */
  | {
      readonly kind: "answered";
      readonly call: number;
      readonly id: string;
      readonly by: string;
      readonly outcome: string;
    }
  /** It runs now. `execution` is unique. */
  | {
      readonly kind: "begun";
      readonly execution: number;
      readonly id: string;
      readonly server: string;
      readonly instance: string;
      readonly background: boolean;
    }
  | { readonly kind: "finished"; readonly execution: number; readonly how: "done" | "failed" | "killed" }
  /** An instance of a server came up, or is gone with all that it did. */
  | { readonly kind: "server"; readonly server: string; readonly instance: string; readonly isUp: boolean };

/** What happened to the world itself. */
export type WorldEvent =
  | {
      readonly kind: "process";
      readonly by: string;
      readonly change: "started" | "crashed" | "paused" | "resumed" | "stopping" | "stopped";
      /** The labelled await at which it crashed. */
      readonly checkpoint?: string | undefined;
    }
  | {
      readonly kind: "fault";
      readonly fault: string;
      readonly by?: string | undefined;
      readonly inAttempt: boolean;
    }
  /** A wall clock was stepped: of a process, or of the store (`store`). */
  | { readonly kind: "clock"; readonly by: string; readonly stepMs: number }
  /** `chaos`: anything may fail. `calm`: nothing fails any more, but `dead` servers stay so. `healed`: all is well. */
  | {
      readonly kind: "phase";
      readonly phase: "chaos" | "calm" | "healed" | "quiet";
      readonly dead: readonly string[];
    };

/** One event, with the true time at which it happened. */
export type HistoryEvent = { readonly atMs: number } & (ClientEvent | StoreEvent | ServerEvent | WorldEvent);

export type History = readonly HistoryEvent[];

/** What the judge must know beside the history. */
export interface HistoryFacts {
  readonly leaseMs: number;
  readonly boostMs: number;
  /** The slots that each server really has. */
  readonly limits: Readonly<Record<string, number>>;
  /** The models of each server. */
  readonly models: Readonly<Record<string, readonly string[]>>;
  /** Whether grants are in exact order, decided in one transaction. */
  readonly order: "exact" | "queue";
  /** How long a lane with a healthy, free server may stand still while nothing fails. */
  readonly progressMs: number;
  /** Tasks whose results cannot be written. */
  readonly unwritable: readonly string[];
  /** Counted failures after which a task may fail. */
  readonly maxFailures: number;
  /** Grants that one task may take at most, whatever befalls it. */
  readonly maxAttempts: number;
  readonly retainsResultsMs?: number | undefined;
  /** What was left when all had come to rest; absent when the history breaks off earlier. */
  readonly end?: HistoryEnd | undefined;
}

export interface HistoryEnd {
  /** Every row of the store. */
  readonly rows: readonly TaskRecord[];
  /** Holds that nobody looks after. */
  readonly orphanHolds: readonly { readonly server: string; readonly id: string }[];
}

/** One promise that was broken. */
export interface Violation {
  readonly rule: RuleName;
  readonly atMs: number;
  readonly message: string;
  readonly id?: string | undefined;
  readonly server?: string | undefined;
}

/** Every rule, and what it promises. */
export const RULES = {
  "lost-task": "An accepted task is in the ledger until retention forgets it.",
  "no-ending": "Every accepted task ends once nothing fails any more.",
  "ending-changed": "A terminal state, its result and its error never change, whoever looks.",
  "wrong-result": "The result of a task is the server's answer to its own payload.",
  "bad-mint": "Each grant has the number of the attempt before plus one, and one holder.",
  "outcome-by-stale-attempt": "Only the attempt minted last writes the outcome.",
  "settle-not-idempotent": "The same settlement by the same attempt is accepted again.",
  "lease-kept-for-others": "A lease grows by a grant or by renewing that very attempt.",
  "sent-without-lease": "Nobody sends a task that it does not hold.",
  "exchange-not-repeatable": "A repeated exchange gives the grants that it gave, and no others.",
  "result-after-state": "Whoever sees a success can read its result at once.",
  "ran-twice": "What is not repeatable runs once, unless the instance that ran it is gone.",
  "sent-before-commit":
    "Before the first byte of what is not repeatable leaves, server and time are committed.",
  "unfounded-unknown": "An outcome is unknown only after an ambiguous send.",
  "two-runs": "One training or evaluation per server at a time.",
  "hold-broken": "A server that is held is not granted to other background work.",
  "over-limit": "Attempts that hold a slot on a server stay within its limit.",
  "calls-over-limit": "Calls of live processes on a server stay within its limit.",
  "passed-over": "A grant never passes over a waiting task of lower rank that could go to the same server.",
  "wrong-rank": "The rank is the time of acceptance less what the priority is worth.",
  "slot-left-idle": "An exchange leaves no ready task waiting beside a slot that it asked for.",
  "lane-blocked": "A lane with a healthy, free server gets on.",
  spins: "A process that has nothing to do does nearly nothing.",
  "failed-for-waiting":
    "A task fails only for what it met: refusals, waiting and crashes before the send are no failures.",
  "live-lease-lost": "A live process keeps the leases of what it works on.",
  "too-many-attempts": "Attempts are bounded.",
  "ran-after-cancel": "A task that was cancelled while it waited never runs afterwards.",
  "batch-harmed": "A bad item of a batch harms no other.",
  leaked: "When all has come to rest, nothing is held and nobody waits.",
} as const;

export type RuleName = keyof typeof RULES;
