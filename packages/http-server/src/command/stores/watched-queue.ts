import { GatewayError, type Queue } from "@modelgate/core";
import { BROKER_NAMES, type BrokerKind } from "../settings/brokers.ts";

/** Told of what becomes of a queue. */
interface QueueListener {
  /** One call failed. */
  failed?(operation: string, code: string): void;
  /** It failed and had not before; told again from time to time while that lasts. */
  wentAway?(why: string): void;
  /** It answers, and has failed no more for a while. */
  cameBack?(afterMs: number): void;
}

/** A queue, and what is known of how it does. */
export interface WatchedQueue {
  readonly kind: BrokerKind;
  readonly queue: Queue;
  /** Adds a listener. */
  watch(listener: QueueListener): void;
  /** Asks it. Never rejects. */
  isHealthy(): Promise<boolean>;
}

interface WatchQueueOptions {
  readonly kind: BrokerKind;
  /** Default: the process' own. */
  readonly nowMs?: () => number;
}

/** A full broker refuses what is new and gives what it has: it is back once nothing has failed for so long. */
const QUIET_MS = 5_000;
const REMIND_MS = 60_000;
const HEALTH_MS = 2_000;

/** Looks at how the calls of a queue end. */
export function watchQueue(
  queue: Queue,
  { kind, nowMs = () => performance.now() }: WatchQueueOptions,
): WatchedQueue {
  const listeners: QueueListener[] = [];
  let away: { readonly sinceMs: number; lastMs: number; toldMs: number } | undefined;

  function fail(operation: string, error: unknown): void {
    const { message, code } = GatewayError.is(error)
      ? error
      : { message: `${BROKER_NAMES[kind]} failed`, code: "ADAPTER_FAILED" };
    const now = nowMs();
    away ??= { sinceMs: now, lastMs: now, toldMs: Number.NEGATIVE_INFINITY };
    away.lastMs = now;
    for (const { failed } of listeners) failed?.(operation, code);
    if (now - away.toldMs < REMIND_MS) return;
    away.toldMs = now;
    for (const { wentAway } of listeners) wentAway?.(message);
  }

  function succeed(): void {
    if (away === undefined || nowMs() - away.lastMs < QUIET_MS) return;
    const afterMs = nowMs() - away.sinceMs;
    away = undefined;
    for (const { cameBack } of listeners) cameBack?.(afterMs);
  }

  async function watched<T>(
    operation: string,
    signal: AbortSignal | undefined,
    call: Promise<T>,
  ): Promise<T> {
    try {
      const answer = await call;
      succeed();
      return answer;
    } catch (error) {
      // Whoever gave up by himself says nothing of the queue; a ledger that waited for long enough says so.
      const isCallers = signal?.aborted === true && !GatewayError.is(signal.reason);
      if (!isCallers && !GatewayError.is(error, "UNSUPPORTED") && !GatewayError.is(error, "CLOSED"))
        fail(operation, error);
      throw error;
    }
  }

  const watchedQueue: Queue = {
    capabilities: queue.capabilities,
    enqueue: (batch, options) => watched("enqueue", options?.signal, queue.enqueue(batch, options)),
    take: (request, options) => watched("take", options?.signal, queue.take(request, options)),
    settle: (batch, options) => watched("settle", options?.signal, queue.settle(batch, options)),
    remove: (ids, options) => watched("remove", options?.signal, queue.remove(ids, options)),
    stats: (options) => watched("stats", options?.signal, queue.stats(options)),
    incarnation: (options) => watched("incarnation", options?.signal, queue.incarnation(options)),
    audit: (cursor, limit, options) => watched("audit", options?.signal, queue.audit(cursor, limit, options)),
    close: () => queue.close(),
  };
  return {
    kind,
    queue: watchedQueue,
    watch: (listener) => void listeners.push(listener),
    async isHealthy() {
      const late = new GatewayError("STORE_UNAVAILABLE", `${BROKER_NAMES[kind]} does not answer`);
      const abort = new AbortController();
      const timer = setTimeout(() => abort.abort(late), HEALTH_MS);
      try {
        await watchedQueue.incarnation({ signal: abort.signal });
        return away === undefined;
      } catch {
        return false;
      } finally {
        clearTimeout(timer);
      }
    },
  };
}
