/** What the column `forgotten` of a task counts in: what retention has forgotten of it already. */
export const PAYLOAD = 1;
export const RESULT = 2;

/**
 * Counted in as well while an idempotency key stands for the task: its row stays until the key has expired, and
 * retention, which reads that column by an index, never meets it before.
 */
export const KEYED = 4;
