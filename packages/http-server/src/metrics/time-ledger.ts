import type { Ledger, OperationOptions } from "@modelgate/core";
import { CALL_BUCKETS, METRICS } from "./metric-table.ts";
import { type Family, Histogram } from "./series.ts";

/** A ledger whose calls are timed. */
export interface TimedLedger extends Ledger {
  /** What was measured so far. */
  families(): readonly Family[];
}

/**
 * The same ledger, for a gateway and its metrics alike: `createMetrics` tells how long its calls took. A
 * call that its caller gave up is told as `aborted`: a store that hangs shows there.
 */
export function timeLedger(ledger: Ledger): TimedLedger {
  const durations = new Histogram(METRICS.ledgerSeconds, CALL_BUCKETS);

  async function timed<T>(
    operation: string,
    { signal }: OperationOptions = {},
    call: Promise<T>,
  ): Promise<T> {
    const beganMs = performance.now();
    const end = (outcome: string): void => durations.at(operation, outcome).add(performance.now() - beganMs);
    try {
      const answer = await call;
      end("ok");
      return answer;
    } catch (error) {
      end(signal?.aborted === true ? "aborted" : "failed");
      throw error;
    }
  }

  return {
    capabilities: ledger.capabilities,
    submit: (batch, options) => timed("submit", options, ledger.submit(batch, options)),
    exchange: (request, options) => timed("exchange", options, ledger.exchange(request, options)),
    get: (ids, options) => timed("get", options, ledger.get(ids, options)),
    list: (request, options) => timed("list", options, ledger.list(request, options)),
    amend: (batch, options) => timed("amend", options, ledger.amend(batch, options)),
    sweep: (request, options) => timed("sweep", options, ledger.sweep(request, options)),
    stats: (options) => timed("stats", options, ledger.stats(options)),
    close: () => ledger.close(),
    families: () => [durations.family()],
  };
}
