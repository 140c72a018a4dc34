/** First and longest wait of a task that failed for a reason that may pass. */
const RETRY_BASE_MS = 500;
const RETRY_CAP_MS = 60_000;

/**
 * Exponential back-off with full jitter: uniform in [0, min(cap, base × 2^(failures−1))].
 * Source: M. Brooker, "Exponential Backoff and Jitter", AWS Architecture Blog, 2015.
 */
export function fullJitterMs(failures: number, random: () => number, baseMs: number = RETRY_BASE_MS): number {
  return Math.floor(random() * Math.min(RETRY_CAP_MS, baseMs * 2 ** Math.max(0, failures - 1)));
}
