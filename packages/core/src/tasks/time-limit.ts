import type { Clock } from "../contracts/clock.ts";
import { GatewayError } from "../errors.ts";
import type { AbortSource } from "../late-abort.ts";

/**
 * Waits for a store at most `timeoutMs`, whether or not it heeds its signal; then rejects `STORE_UNAVAILABLE`. The
 * call may still take effect: its caller repeats it, which every contract makes harmless.
 */
export function withinTime<T>(
  clock: Clock,
  timeoutMs: number,
  call: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const controller = new AbortController();
  return inTime(clock, timeoutMs, call(controller.signal), (error) => controller.abort(error));
}

/** The same for a call that is under way and that nothing can abort; cheaper, for the hot path. */
export function inTime<T>(
  clock: Clock,
  timeoutMs: number,
  answer: Promise<T>,
  onLate?: (error: GatewayError) => void,
): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const cancel = clock.after(timeoutMs, () => {
      const error = new GatewayError("STORE_UNAVAILABLE", `the store did not answer within ${timeoutMs} ms`);
      reject(error);
      onLate?.(error);
    });
    answer.then(
      (value) => {
        cancel();
        resolve(value);
      },
      (error: unknown) => {
        cancel();
        reject(error);
      },
    );
  });
}

/** Follows `promise`, but rejects with the reason as soon as `abort` is, whether or not the work heeds it. */
export function orAborted<T>(abort: AbortSource, promise: Promise<T>): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    if (abort.aborted) reject(abort.reason);
    const stopListening = abort.onAbort(() => reject(abort.reason));
    promise.then(
      (value) => {
        stopListening();
        resolve(value);
      },
      (error: unknown) => {
        stopListening();
        reject(error);
      },
    );
  });
}
