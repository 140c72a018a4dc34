import type { Clock } from "../contracts/clock.ts";
import { GatewayError } from "../errors.ts";

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
  return new Promise<T>((resolve, reject) => {
    const cancel = clock.after(timeoutMs, () => {
      const error = new GatewayError("STORE_UNAVAILABLE", `the store did not answer within ${timeoutMs} ms`);
      reject(error);
      controller.abort(error);
    });
    call(controller.signal).then(
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
