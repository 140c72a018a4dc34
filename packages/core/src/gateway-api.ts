import type { EventEmitter } from "eventemitter3";
import type { Checkpoint } from "./checkpoint.ts";
import type { Clock } from "./contracts/clock.ts";
import type { ByteStream, OperationOptions, Page } from "./contracts/common.ts";
import type { Discovery, ServerState } from "./contracts/discovery.ts";
import type { EndedTask, Ledger, ListRequest } from "./contracts/ledger.ts";
import type { ByteRange, ObjectStore } from "./contracts/object-store.ts";
import type {
  HeaderList,
  OperationSpec,
  PassedAnswer,
  ServerAnswer,
  ServerProtocol,
  UpgradeOutcome,
} from "./contracts/server-protocol.ts";
import type { TaskRecord } from "./contracts/task.ts";
import type { Wakeups } from "./contracts/wakeups.ts";
import type { Deployments, DeploymentsOptions } from "./deployments/api.ts";
import type { GatewayError } from "./errors.ts";
import type { GatewayEvents } from "./events.ts";

/** What a gateway is made of. Only `discovery` is required; what is left out lives in memory. */
export interface GatewayOptions {
  /** Where servers come from. Several are merged by server id. */
  readonly discovery: Discovery | readonly Discovery[];
  /** The truth about tasks. Default: `memoryLedger()`. */
  readonly ledger?: Ledger | undefined;
  /** Payloads and results above `inlineBytes`. Default: `memoryObjectStore()`. */
  readonly objects?: ObjectStore | undefined;
  /** How servers are spoken to. Default: `[cmsProtocol()]`. */
  readonly protocols?: readonly ServerProtocol[] | undefined;
  /** Hints between processes that share a ledger. Default: none, and polling. */
  readonly wakeups?: Wakeups | undefined;
  /** Who this is, for people who look into the ledger; each start adds something of its own. Default `gateway`. */
  readonly name?: string | undefined;
  /** `false` for a gateway that submits and reads and leaves the running to others. Default `true`. */
  readonly runs?: boolean | undefined;
  /**
   * `false` for a gateway that leaves to others what the ledger asks for from time to time: taking back what lost its
   * lease, ending what waited too long, forgetting on time. Some process on the ledger has to. Default `true`.
   */
  readonly sweeps?: boolean | undefined;
  /** How long an attempt is held without a renewal. Default 10,000. */
  readonly leaseMs?: number | undefined;
  /** Longest wait between two looks for work when no hint comes. Default 500. */
  readonly pollMs?: number | undefined;
  /** Largest payload or result that the ledger keeps itself. Default 32,768; 0 sends all to the object store. */
  readonly inlineBytes?: number | undefined;
  /** Largest payload taken. Default 4 GiB. */
  readonly maxPayloadBytes?: number | undefined;
  /** What one priority level is worth in waiting. Default one hour. */
  readonly boostMs?: number | undefined;
  /** Most tasks, and bytes of payloads, that may wait. Default 10,000,000 and 1 TiB. */
  readonly maxWaiting?:
    | { readonly tasks?: number | undefined; readonly bytes?: number | undefined }
    | undefined;
  /** How long a task waits in all. Default 24 h. */
  readonly waitMs?: number | undefined;
  /** How long tasks wait for a model that has no server; `false` where only others know the servers. Default 15 min. */
  readonly noServerMs?: number | false | undefined;
  /** Counted failures after which a repeatable task fails. Default 5. */
  readonly maxFailures?: number | undefined;
  /** How long `submit` goes on trying while the ledger is away, before it rejects `STORE_UNAVAILABLE`. Default 0: some tries. */
  readonly storeWaitMs?: number | undefined;
  /** How long an idempotency key is remembered. Default 24 h, which is also the least. */
  readonly idempotencyMs?: number | undefined;
  /** How long a model stays known after its last server went. Default 24 h. */
  readonly modelMemoryMs?: number | undefined;
  /** Slots of a server that does not say. Default 8. */
  readonly defaultLimit?: number | undefined;
  /**
   * Most slots that this process uses at once, over all servers together; their own limits hold, too. Trainings take no
   * slot. Default: no bound.
   */
  readonly maxConcurrentTasks?: number | undefined;
  /** Requests that go straight to a server: see `Gateway.pass`. */
  readonly direct?:
    | {
        /**
         * Of a server's slots, how much requests of this gateway that are no tasks may take, above 0 and at most 1; at
         * least one slot. Default 0.5.
         */
        readonly share?: number | undefined;
        /** Until the answer's headers. Default 180,000. */
        readonly timeoutMs?: number | undefined;
        /** Longest silence in the middle of an answer, and of a connection that was upgraded. Default 300,000. */
        readonly idleTimeoutMs?: number | undefined;
        /** How many may wait for a slot at once, over all models. Default 1,024. */
        readonly maxWaiting?: number | undefined;
      }
    | undefined;
  /** Between two looks for objects that no row names; `false` leaves it to others. Default 24 h. */
  readonly objectSweepMs?: number | false | undefined;
  /** Ages after the ending at which bytes and rows are forgotten. Default 7, 7 and 30 days; `false` keeps all. */
  readonly retention?:
    | { readonly payloadMs?: number; readonly resultMs?: number; readonly rowMs?: number }
    | false
    | undefined;
  /** Deployed servers, on demand and on request. Default: none, and only servers that others run. */
  readonly deployments?: DeploymentsOptions | undefined;
  /** For simulations and tests. */
  readonly clock?: Clock | undefined;
  /** In [0, 1). For simulations and tests. */
  readonly random?: (() => number) | undefined;
  /** Makes task ids. Default: random UUIDs. */
  readonly newId?: (() => string) | undefined;
  /** For simulations. */
  readonly checkpoint?: Checkpoint | undefined;
}

/** Work to be done. */
export interface SubmitRequest {
  /** The name of a known model. */
  readonly model: string;
  /** The named operation: `process`, `redact`, … */
  readonly operation: string;
  /** Text is sent as UTF-8; bytes and streams go as they are. Default: empty. */
  readonly payload?: string | Uint8Array | ByteStream | undefined;
  /** The media type for the server. Default: what the operation expects. */
  readonly contentType?: string | undefined;
  /** The query string for the server, byte for byte, without the question mark. */
  readonly query?: string | undefined;
  /** 0 (background) to 10 (urgent). Default 5. */
  readonly priority?: number | undefined;
  /** The user or key that it belongs to. Default: nobody in particular. */
  readonly owner?: string | undefined;
  /** Where it came from, for people. */
  readonly source?: string | undefined;
  /** Give one's own to make a repeated submit harmless. Default: a new one. */
  readonly id?: string | undefined;
  /** How long it may wait in all. Default: the gateway's. */
  readonly waitMs?: number | undefined;
  /**
   * The sender's own name for this request, 1 to 255 visible ASCII characters, unique for (owner, model, operation).
   * The same request again is given the task that it made at first; another under the same key is refused.
   */
  readonly idempotencyKey?: string | undefined;
}

/** A request that goes straight to a server of a model, as its caller made it. */
export interface PassRequest {
  readonly model: string;
  readonly method: string;
  /** Below the server's root, percent-encoded; begins with a slash. */
  readonly path: string;
  /** Without the question mark, byte for byte. Default: none. */
  readonly query?: string | undefined;
  readonly headers?: HeaderList | undefined;
  readonly payload?: Uint8Array | ByteStream | undefined;
  /** How large a payload that is a stream is. */
  readonly sizeBytes?: number | undefined;
  /** How long it waits for a server and a slot on it. Default 0: not at all. */
  readonly waitMs?: number | undefined;
  /** Until the answer's headers. Default: the gateway's `direct.timeoutMs`. */
  readonly timeoutMs?: number | undefined;
}

/** What can be submitted, and how its protocol treats it. */
export interface OperationInfo extends OperationSpec {
  readonly name: string;
}

/** One of a batch. */
export type SubmitResult =
  | {
      readonly ok: true;
      readonly task: TaskRecord;
      /** Whether an earlier request with the same idempotency key had made the task. */
      readonly isRepeat: boolean;
    }
  | { readonly ok: false; readonly error: GatewayError };

export interface TaskResult extends ServerAnswer {
  readonly task: EndedTask;
  /** Size of the whole result, also when a range of it was asked for. */
  readonly sizeBytes: number;
  /** The bytes at once, when the ledger kept them; `body` gives the same. */
  readonly bytes?: Uint8Array | undefined;
}

export interface WaitOptions extends OperationOptions {
  /** Longest wait; then the task is given as it is. Default: until it ends. */
  readonly timeoutMs?: number | undefined;
}

export interface ServerStatus {
  readonly id: string;
  readonly state: ServerState;
  readonly protocol: string;
  /** Slots that this gateway would use of it now. */
  readonly limit: number;
  /** Attempts of this gateway on it. */
  readonly inFlight: number;
  /** Ejected, or asked to be left alone for a while. */
  readonly isPaused: boolean;
  /** What else its discovery knows of it, for people. */
  readonly details?: Readonly<Record<string, string>> | undefined;
}

export interface ModelStatus {
  readonly name: string;
  /** Whether at least one server is ready for it. */
  readonly isRunning: boolean;
  readonly servers: readonly ServerStatus[];
}

export interface Health {
  readonly isHealthy: boolean;
  /** By component: `ledger`, `objects`, `discovery`. */
  readonly components: Readonly<Record<string, "healthy" | "unhealthy">>;
}

export interface StopOptions {
  /** How long what runs may take to finish before it is handed back. Default 10,000. */
  readonly drainMs?: number | undefined;
}

/**
 * A model gateway. `start` looks for servers, so that their models are known, and runs what waits; reading works
 * without it. What was handed in (`ledger`, `objects`, …) stays open after `stop`; what the gateway made itself is closed.
 */
export interface Gateway {
  readonly events: Pick<EventEmitter<GatewayEvents>, "on" | "once" | "off">;
  /** Servers that the gateway starts and removes; absent without the option. Used after `start`. */
  readonly deployments?: Deployments | undefined;
  /** Begins discovery and the runner; resolves after the first look at the servers. Idempotent. */
  start(): Promise<void>;
  /** Finishes or hands back what runs. Idempotent; afterwards `submit` rejects `STOPPING`. */
  stop(options?: StopOptions): Promise<void>;
  /**
   * Accepts one task; it is durable once this resolves. An abort before that keeps nothing that runs.
   * Rejects `MODEL_UNKNOWN`, `OPERATION_UNKNOWN`, `INVALID_REQUEST`, `QUEUE_FULL`, `PAYLOAD_TOO_LARGE`,
   * `IDEMPOTENCY_MISMATCH`, `IDEMPOTENCY_IN_PROGRESS`, `STOPPING` and the store's codes.
   */
  submit(request: SubmitRequest, options?: OperationOptions): Promise<TaskRecord>;
  /** Accepts many; one outcome for each, in order. A bad one harms no other. */
  submit(requests: readonly SubmitRequest[], options?: OperationOptions): Promise<readonly SubmitResult[]>;
  /** The task. Rejects `TASK_UNKNOWN`. */
  get(id: string, options?: OperationOptions): Promise<TaskRecord>;
  /** Newest first. */
  list(request?: ListRequest, options?: OperationOptions): Promise<Page<TaskRecord>>;
  /**
   * What the server answered; also of a failed task, when the server had answered. Rejects `TASK_UNKNOWN`,
   * `TASK_NOT_ENDED`, `NO_RESULT`, `RESULT_EXPIRED`.
   */
  result(
    id: string,
    options?: OperationOptions & { readonly range?: ByteRange | undefined },
  ): Promise<TaskResult>;
  /** The task once it has ended, or as it is when the time is over. Rejects `TASK_UNKNOWN`. */
  wait(id: string, options?: WaitOptions): Promise<TaskRecord>;
  /** Asks for the end of a task; resolves as it is then. A waiting one has ended. Rejects `TASK_UNKNOWN`. */
  cancel(id: string, options?: OperationOptions): Promise<TaskRecord>;
  /** A new task like an ended one, with `retryOf`. Rejects `TASK_UNKNOWN`, `TASK_NOT_ENDED`, `PAYLOAD_LOST`. */
  retry(
    id: string,
    options?: OperationOptions & { readonly priority?: number | undefined },
  ): Promise<TaskRecord>;
  /** Changes the priority of a waiting task; one that has started or ended stays as it is. Rejects `TASK_UNKNOWN`. */
  reprioritise(id: string, priority: number, options?: OperationOptions): Promise<TaskRecord>;
  /** Known models by name, with their servers. */
  models(): readonly ModelStatus[];
  /** What a ready server of the model says of itself, an error of its own too. Rejects `MODEL_UNKNOWN`, `SERVER_UNREACHABLE`, `SERVER_BUSY`. */
  info(model: string, options?: OperationOptions): Promise<ServerAnswer>;
  /**
   * Sends a request straight to a ready server of the model and streams both ways; it takes a slot until its answer was
   * read to the end or let go of. A model that is on demand is deployed for it. It is sent once; while nothing of it has
   * left, other servers are tried.
   * Rejects `MODEL_UNKNOWN`, `TASK_REQUIRED`, `INVALID_REQUEST`, `UNSUPPORTED`, `STOPPING`, `SERVER_BUSY` (no server, or
   * no slot, within `waitMs`; `details.retryAfterMs` says when to come back), `SERVER_UNREACHABLE`, `SERVER_TIMEOUT` and
   * `SERVER_BAD_GATEWAY`. An aborted `signal` closes the connection to the server.
   */
  pass(request: PassRequest, options?: OperationOptions): Promise<PassedAnswer>;
  /** The same for a request that asks for another protocol, such as a WebSocket. The slot is taken until both ends have closed. */
  upgrade(
    request: PassRequest,
    options?: OperationOptions,
  ): Promise<Extract<UpgradeOutcome, { readonly kind: "answered" | "upgraded" }>>;
  /** The operations that can be submitted, over all protocols, in the order in which these name them. */
  operations(): ReadonlyMap<string, OperationInfo>;
  /** Whether the parts answer. */
  health(options?: OperationOptions): Promise<Health>;
}
