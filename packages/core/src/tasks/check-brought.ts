import type { TaskRecord } from "../contracts/task.ts";
import { GatewayError } from "../errors.ts";
import { isTerminal } from "./task-state.ts";
import { refusalOf } from "./validate-task.ts";

/**
 * Why a store must not take this task as it is from elsewhere, or `undefined`. What a store takes this way the state
 * machine must be able to go on with: a task that waits, one that was sent and that nobody looks after, or one that
 * has ended.
 */
export function broughtRefusalOf(task: TaskRecord): GatewayError | undefined {
  // What was sent may be gone: at worst it fails with `PAYLOAD_LOST`, if nothing came of the send.
  const payload = task.state === "pending" ? task.payload : { sizeBytes: 0, inline: new Uint8Array() };
  const refusal = refusalOf({ ...task, payload, boostMs: 0, waitMs: 1 });
  if (refusal !== undefined) return refusal;
  const wrong = (field: keyof TaskRecord, what: string): GatewayError =>
    new GatewayError("INVALID_REQUEST", `${field} of a task that is ${task.state} ${what}`, {
      details: { field },
    });
  if (task.holder !== undefined || task.leaseExpiresAtMs !== undefined)
    return wrong("holder", "must be absent: no runner of this store holds it");
  if (task.state === "pending") {
    if (task.sentAtMs !== undefined) return wrong("sentAtMs", "must be absent");
    return task.notBeforeAtMs === undefined ? undefined : wrong("notBeforeAtMs", "must be absent");
  }
  if (isTerminal(task.state)) {
    if (task.finishedAtMs === undefined) return wrong("finishedAtMs", "is missing");
    if (task.endedBy === undefined) return wrong("endedBy", "is missing");
    if (task.state === "succeeded" && task.result === undefined) return wrong("result", "is missing");
    return task.state === "failed" && task.error === undefined ? wrong("error", "is missing") : undefined;
  }
  if (task.server === undefined)
    return wrong("server", "is missing: nobody could find out what became of it");
  if (task.sentAtMs === undefined) return wrong("sentAtMs", "is missing");
  return task.attempt >= 1 ? undefined : wrong("attempt", "must be 1 or more");
}

/** As it was before it came to be what it is, for a store that writes it as a change of that. */
export function beforeBrought(task: TaskRecord): TaskRecord {
  return { ...task, state: "scheduled", result: undefined, error: undefined };
}

/** Whether it has taken the server on which it is, until somebody saw that free. */
export function broughtHold(task: TaskRecord): boolean {
  return task.background && (task.state === "scheduled" || task.state === "running");
}
