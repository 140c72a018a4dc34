/**
 * Every code of a `GatewayError` or of a task's `error`, and whether the same call may go through later.
 * `docs/reference/errors.md` explains each.
 */
export const ERROR_CODES = {
  /** An option is missing, unknown or out of range; `details.field` names it. */
  INVALID_OPTIONS: { retryable: false },
  /** A request cannot be understood; `details.field` names what is wrong. */
  INVALID_REQUEST: { retryable: false },
  /** No server, configuration or recent sighting knows the model. */
  MODEL_UNKNOWN: { retryable: true },
  /** No protocol that serves the model has the operation. */
  OPERATION_UNKNOWN: { retryable: false },
  /** It may only be submitted as a task; `details.operation` names it where there is one. */
  TASK_REQUIRED: { retryable: false },
  /** There is no task with this id. */
  TASK_UNKNOWN: { retryable: false },
  /** The task has not ended, so that there is no result yet, or nothing to retry. */
  TASK_NOT_ENDED: { retryable: true },
  /** The task ended without a result. */
  NO_RESULT: { retryable: false },
  /** The result was there and has been forgotten on time. */
  RESULT_EXPIRED: { retryable: false },
  /** Too much waits already, by count or by bytes; `details.retryAfterMs` says when to come back. */
  QUEUE_FULL: { retryable: true },
  /** The payload is larger than allowed; `details.maxBytes` says what is. */
  PAYLOAD_TOO_LARGE: { retryable: false },
  /** The idempotency key was used for another request; `details.field` names it. */
  IDEMPOTENCY_MISMATCH: { retryable: false },
  /** The first request with this idempotency key is still being received; `details.retryAfterMs` says when to ask again. */
  IDEMPOTENCY_IN_PROGRESS: { retryable: true },
  /** The store did not answer in time or is away. */
  STORE_UNAVAILABLE: { retryable: true },
  /** The store has no room. */
  STORE_FULL: { retryable: true },
  /** The store refuses writes: rights, a read-only file system. */
  STORE_READ_ONLY: { retryable: false },
  /** The store was written by a newer version. */
  STORE_TOO_NEW: { retryable: false },
  /** The store lacks what this version needs, and is not allowed to change it itself: run `modelgate migrate`. */
  STORE_OUTDATED: { retryable: false },
  /** A newer incarnation or sequence of the same runner was seen. */
  STALE_RUNNER: { retryable: false },
  /** The backend does not claim this capability. */
  UNSUPPORTED: { retryable: false },
  /** It was closed. */
  CLOSED: { retryable: false },
  /** The gateway is stopping and takes nothing new. */
  STOPPING: { retryable: true },
  /** An adapter failed in a way that it does not know; see `cause`. */
  ADAPTER_FAILED: { retryable: true },
  /** The server broke off in the middle of its answer. */
  SERVER_BROKE_OFF: { retryable: true },
  /** No connection to the server. */
  SERVER_UNREACHABLE: { retryable: true },
  /** The server did not answer within the time limit. */
  SERVER_TIMEOUT: { retryable: true },
  /** The server, or something before it, answered that it could not. */
  SERVER_BAD_GATEWAY: { retryable: true },
  /** The server is busy, starting or draining. */
  SERVER_BUSY: { retryable: true },
  /** The server refused the task; its answer is kept as the result. */
  SERVER_REJECTED: { retryable: false },
  /** The background run ended as a failure. */
  RUN_FAILED: { retryable: false },
  /** The background run outlived its time limit. */
  RUN_TIMEOUT: { retryable: false },
  /** It may have run, and nobody can tell; it was not sent again. */
  OUTCOME_UNKNOWN: { retryable: false },
  /** The attempt's lease ended after it was sent. */
  LEASE_LOST: { retryable: true },
  /** It failed as often as allowed; the last cause is in the message. */
  ATTEMPTS_EXHAUSTED: { retryable: false },
  /** It waited longer than allowed. */
  WAIT_DEADLINE: { retryable: false },
  /** No server existed for its model for longer than allowed. */
  NO_SERVER: { retryable: false },
  /** Its payload cannot be read any more. */
  PAYLOAD_LOST: { retryable: false },
  /** The result could not be written as one item. */
  RESULT_REFUSED: { retryable: false },
  /** The engine that runs servers does not answer; `details.retryAfterMs` says when to come back. */
  DEPLOYER_UNAVAILABLE: { retryable: true },
  /** The engine answered that it will not do this. */
  DEPLOYER_REFUSED: { retryable: false },
  /** The image is neither here nor in its registry. */
  IMAGE_MISSING: { retryable: false },
  /** The registry refused: credentials that are missing or wrong, or no connection to it. */
  REGISTRY_REFUSED: { retryable: false },
  /** The host has no room: its disk, memory or cards are taken. */
  HOST_FULL: { retryable: true },
  /** More was asked for than may be given to all deployments together; `details.field` names what. */
  NO_ROOM: { retryable: false },
  /** Another server, or one of its names, has this name already. */
  NAME_TAKEN: { retryable: false },
  /** The engine could not start the server. */
  START_FAILED: { retryable: false },
  /** The server took more memory than it may, and was killed. */
  OUT_OF_MEMORY: { retryable: false },
  /** The server ended by itself; `details.exitCode` says how. */
  SERVER_EXITED: { retryable: false },
  /** The server was not ready within the time limit. */
  NEVER_READY: { retryable: false },
  /** There is no deployment of this model. */
  DEPLOYMENT_UNKNOWN: { retryable: false },
  /** There is a deployment or a server of this model already, or it is being removed. */
  DEPLOYMENT_CONFLICT: { retryable: false },
  /** The server was not started by this installation, and is left alone. */
  NOT_OURS: { retryable: false },
  /** There is no such on-demand configuration. */
  CONFIGURATION_UNKNOWN: { retryable: false },
  /** An enabled on-demand configuration of this model exists already, or somebody changed it at the same time. */
  CONFIGURATION_CONFLICT: { retryable: false },
  /** The tracker does not answer. */
  TRACKING_UNAVAILABLE: { retryable: true },
  /** The tracker knows no such model. */
  TRACKED_MODEL_UNKNOWN: { retryable: false },
} as const;

export type GatewayErrorCode = keyof typeof ERROR_CODES;

export interface GatewayErrorOptions {
  readonly cause?: unknown;
  /** Safe to log: no payloads, results, keys or secrets. */
  readonly details?: Readonly<Record<string, string | number | boolean>> | undefined;
}

const BRAND: unique symbol = Symbol.for("@modelgate/error") as never;

/** The one error of Modelgate. Tell it by `GatewayError.is`, which also works over two copies of the package. */
export class GatewayError extends Error {
  override readonly name: string = "GatewayError";
  readonly code: GatewayErrorCode;
  readonly details: Readonly<Record<string, string | number | boolean>>;

  constructor(code: GatewayErrorCode, message: string, options: GatewayErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.details = options.details ?? {};
    Object.defineProperty(this, BRAND, { value: true });
  }

  /** Whether the same call may go through later. */
  get retryable(): boolean {
    return ERROR_CODES[this.code].retryable;
  }

  /** Whether `value` is a GatewayError, and of this code if one is given. */
  static is(value: unknown, code?: GatewayErrorCode): value is GatewayError {
    if (typeof value !== "object" || value === null || !(BRAND in value)) return false;
    return code === undefined || (value as unknown as GatewayError).code === code;
  }
}
