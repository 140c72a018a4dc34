import type { NewTask } from "../contracts/ledger.ts";
import { GatewayError } from "../errors.ts";
import { MAX_PRIORITY } from "../scheduler/rank.ts";

const TASK_ID = /^[A-Za-z0-9_-]{1,128}$/;
const MAX_NAME = 256;

export function isTaskId(text: string): boolean {
  return TASK_ID.test(text);
}

function refuse(field: string, message: string): GatewayError {
  return new GatewayError("INVALID_REQUEST", message, { details: { field } });
}

function badName(field: string, value: string, minimum: number): GatewayError | undefined {
  if (value.length < minimum || value.length > MAX_NAME) {
    return refuse(field, `${field} must have ${minimum} to ${MAX_NAME} characters; it has ${value.length}`);
  }
  // A NUL or a lone surrogate cannot be written by every store; refused here, it is refused by all alike.
  if (value.includes("\0") || !value.isWellFormed())
    return refuse(field, `${field} holds a character that cannot be stored`);
  return undefined;
}

function isShort(text: string, most: number): boolean {
  return text.length > 0 && text.length <= most && !text.includes("\0") && text.isWellFormed();
}

/** What a store answers when a remembered key comes with another digest. */
export function idempotencyMismatch(): GatewayError {
  return new GatewayError("IDEMPOTENCY_MISMATCH", "the idempotency key was used for another request", {
    details: { field: "idempotencyKey" },
  });
}

/** What a store answers when another model, operation or owner has a task of this id. */
export function idTaken(): GatewayError {
  return refuse("id", "id belongs to another task");
}

/** Why a store must not take this task, or `undefined`. Every ledger uses it, so that all refuse the same. */
export function refusalOf(task: NewTask): GatewayError | undefined {
  if (!isTaskId(task.id)) return refuse("id", "id must be 1 to 128 characters of A-Z, a-z, 0-9, _ and -");
  if (!Number.isInteger(task.priority) || task.priority < 0 || task.priority > MAX_PRIORITY) {
    return refuse(
      "priority",
      `priority must be an integer from 0 to ${MAX_PRIORITY}; it is ${task.priority}`,
    );
  }
  if (!(task.boostMs >= 0 && task.boostMs <= 1e14))
    return refuse("boostMs", "boostMs must be from 0 to 1e14");
  if (!(task.waitMs > 0)) return refuse("waitMs", "waitMs must be above 0");
  if (!(Number.isInteger(task.maxFailures) && task.maxFailures > 0)) {
    return refuse("maxFailures", "maxFailures must be an integer above 0");
  }
  if (task.query.includes("\0") || !task.query.isWellFormed())
    return refuse("query", "query holds a character that cannot be stored");
  if (task.payload.inline === undefined && task.payload.key === undefined) {
    return refuse("payload", "payload must have inline bytes or the key of a stored object");
  }
  if (task.idempotency !== undefined) {
    const { key, digest, keepMs } = task.idempotency;
    if (!isShort(key, 255)) return refuse("idempotency.key", "idempotency.key must have 1 to 255 characters");
    if (!isShort(digest, 128))
      return refuse("idempotency.digest", "idempotency.digest must have 1 to 128 characters");
    if (!(keepMs > 0)) return refuse("idempotency.keepMs", "idempotency.keepMs must be above 0");
  }
  return (
    badName("model", task.model, 1) ??
    badName("operation", task.operation, 1) ??
    badName("owner", task.owner, 0)
  );
}
