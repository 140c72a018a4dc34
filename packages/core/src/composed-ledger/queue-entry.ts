import type { QueueEntry } from "../contracts/queue.ts";
import type { TaskRecord } from "../contracts/task.ts";

/**
 * Instants are the store's, and this clock may be behind it. A longer wait is cut here: an entry that comes too early
 * is given back with what is left of its wait, one that comes too late has waited for nothing.
 */
const MAX_DELAY_MS = 5_000;

/** A waiting task's place in the queue. */
export function queueEntryOf(task: TaskRecord, nowMs: number): QueueEntry {
  const delayMs = Math.min(MAX_DELAY_MS, Math.max(0, (task.notBeforeAtMs ?? nowMs) - nowMs));
  return { id: task.id, lane: task.model, background: task.background, rank: task.rank, delayMs };
}
