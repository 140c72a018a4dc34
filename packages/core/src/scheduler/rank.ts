/** The default of `boostMs`: one priority level is worth an hour of waiting. */
export const DEFAULT_BOOST_MS = 3_600_000;

/** A boost that no waiting outweighs; ranks stay integers below 2^53. */
export const STRICT_BOOST_MS = 1e14;

export const DEFAULT_PRIORITY = 5;
export const MAX_PRIORITY = 10;

/**
 * The number by which a lane is ordered, lowest first. It is fixed when the task is enqueued, so that nothing needs
 * sorting again and nothing starves: after `boostMs` of waiting a task has caught up with one level more.
 */
export function rankOf(createdAtMs: number, priority: number, boostMs: number): number {
  return createdAtMs - priority * boostMs;
}

/** Orders tasks and queue entries: by rank, ties by id. */
export function compareRank(a: { rank: number; id: string }, b: { rank: number; id: string }): number {
  return a.rank - b.rank || (a.id < b.id ? -1 : a.id > b.id ? 1 : 0);
}
