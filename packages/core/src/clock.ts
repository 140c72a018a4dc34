import type { Clock } from "./contracts/clock.ts";

/** The host's time. Its timers do not keep the process alive. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after(delayMs, callback) {
    // Timers of the host wrap around at 2^31 ms; nothing here waits that long at once. They drop a fraction, and whoever
    // wakes a little early has to sleep once more.
    const timer = setTimeout(callback, Math.min(Math.max(0, Math.ceil(delayMs)), 2_147_483_647));
    timer.unref();
    return () => clearTimeout(timer);
  },
  soon(callback) {
    setImmediate(callback);
  },
  hold() {
    const timer = setInterval(() => {}, 2_147_483_647);
    return () => clearInterval(timer);
  },
};

/** Resolves after `delayMs`; rejects with `signal.reason` when aborted before. */
export function sleep(clock: Clock, delayMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) {
      reject(signal.reason);
      return;
    }
    const onAbort = (): void => {
      cancel();
      reject(signal?.reason);
    };
    const cancel = clock.after(delayMs, () => {
      signal?.removeEventListener("abort", onAbort);
      resolve();
    });
    signal?.addEventListener("abort", onAbort, { once: true });
  });
}
