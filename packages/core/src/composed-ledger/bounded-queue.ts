import type { Clock } from "../contracts/clock.ts";
import type { OperationOptions } from "../contracts/common.ts";
import type { Queue } from "../contracts/queue.ts";
import { GatewayError } from "../errors.ts";

/**
 * The same queue, but each call of it ends within a time limit, whatever the queue does with the signal.
 *
 * @param onTimeout told of each that did not end by itself.
 */
export function boundedQueue(
  queue: Queue,
  clock: Clock,
  timeoutMs: number,
  onTimeout: () => void = () => {},
): Queue {
  const within = <T>(
    options: OperationOptions | undefined,
    call: (bounded: OperationOptions) => Promise<T>,
  ) => withinMs(clock, timeoutMs, onTimeout, options?.signal, call);
  return {
    capabilities: queue.capabilities,
    enqueue: (batch, options) => within(options, (bounded) => queue.enqueue(batch, bounded)),
    take: (request, options) => within(options, (bounded) => queue.take(request, bounded)),
    settle: (batch, options) => within(options, (bounded) => queue.settle(batch, bounded)),
    remove: (ids, options) => within(options, (bounded) => queue.remove(ids, bounded)),
    stats: (options) => within(options, (bounded) => queue.stats({ ...options, ...bounded })),
    incarnation: (options) => within(options, (bounded) => queue.incarnation(bounded)),
    audit: (cursor, limit, options) => within(options, (bounded) => queue.audit(cursor, limit, bounded)),
    close: () => queue.close(),
  };
}

async function withinMs<T>(
  clock: Clock,
  timeoutMs: number,
  onTimeout: () => void,
  signal: AbortSignal | undefined,
  call: (bounded: OperationOptions) => Promise<T>,
): Promise<T> {
  signal?.throwIfAborted();
  const ending = new AbortController();
  const onAbort = (): void => ending.abort(signal?.reason);
  signal?.addEventListener("abort", onAbort, { once: true });
  const cancel = clock.after(timeoutMs, () => {
    onTimeout();
    ending.abort(
      new GatewayError("STORE_UNAVAILABLE", `the queue did not answer within ${timeoutMs} ms`, {
        details: { timeoutMs },
      }),
    );
  });
  try {
    return await Promise.race([call({ signal: ending.signal }), rejectionOf(ending.signal)]);
  } finally {
    cancel();
    signal?.removeEventListener("abort", onAbort);
  }
}

function rejectionOf(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  });
}
