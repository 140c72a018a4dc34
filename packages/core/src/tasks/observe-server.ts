import type { Observation } from "./attempt.ts";
import type { RunnerOptions } from "./runner-options.ts";

/** Lets what a call came to count for the slots and the health of its server. */
export function observeServer(
  id: string,
  outcome: Observation,
  {
    directory,
    clock,
    events,
  }: Pick<RunnerOptions, "directory" | "clock"> & {
    readonly events: Pick<RunnerOptions["events"], "ejected">;
  },
): void {
  const known = directory.get(id);
  if (known === undefined) return;
  const nowMs = clock.monotonic();
  if (outcome.kind === "answered") {
    known.health.succeeded();
    if (outcome.durationMs === undefined) known.slots.recovered(nowMs);
    else known.slots.succeeded(outcome.durationMs, known.inFlight, nowMs);
  } else if (outcome.kind === "refused") {
    known.health.refused(outcome.retryAfterMs, outcome.background, nowMs);
    if (outcome.reason === "busy" && !outcome.background) known.slots.wasBusy(known.inFlight, nowMs);
  } else {
    const forMs = known.health.failed(directory.isLast(id), nowMs);
    if (forMs > 0) events.ejected(id, forMs);
  }
}
