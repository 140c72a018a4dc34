import type { Metrics } from "../../metrics/create-metrics.ts";
import type { Log } from "../log.ts";
import { BROKER_NAMES } from "../settings/brokers.ts";
import type { WatchedQueue } from "../stores/watched-queue.ts";

/** Writes down when a broker's queue fails and when it is back, and counts what fails. */
export function tellOfQueue(
  { kind, watch }: Pick<WatchedQueue, "kind" | "watch">,
  log: Pick<Log, "warn" | "info">,
  metrics: Pick<Metrics, "failed"> | undefined,
): void {
  watch({
    failed: (operation, code) => metrics?.failed("queue", operation, code),
    wentAway: (why) => log.warn(`the queue failed; tasks go on in the order of the store: ${why}`),
    cameBack: (afterMs) =>
      log.info(`the queue in ${BROKER_NAMES[kind]} answers again`, { afterMs: Math.round(afterMs) }),
  });
}
