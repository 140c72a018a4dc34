import type { ExchangeOutcome, Settlement } from "../contracts/ledger.ts";
import type { Attempt, AttemptHost } from "./attempt.ts";
import { sentence } from "./failure-table.ts";

/** Settles, and cleans up after an attempt that turns out to have lost. */
export async function finish(attempt: Attempt, host: AttemptHost, item: Settlement): Promise<void> {
  attempt.release();
  const outcome = await host.checkpoint("runner.result", host.settle(item));
  if (outcome.outcome === "refused" && (item.kind === "succeeded" || item.kind === "failed")) {
    const error = sentence("RESULT_REFUSED", "The ledger could not write the result.");
    await host.checkpoint(
      "runner.result",
      host.settle({ ...attempt.ref(), kind: "failed", error, releaseHold: item.releaseHold }),
    );
  }
  if (outcome.outcome === "stale" || outcome.outcome === "refused") await dropResult(item, host, outcome);
}

/** Only an answer that names another winner lets a result go; without one the sweeper decides. */
async function dropResult(item: Settlement, host: AttemptHost, outcome: ExchangeOutcome): Promise<void> {
  const key = "result" in item ? item.result?.key : undefined;
  if (key === undefined || (outcome.outcome === "stale" && outcome.attempt < item.attempt)) return;
  await host.objects.delete([key]).catch(() => {});
}
