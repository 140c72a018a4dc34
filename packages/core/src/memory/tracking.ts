import type { ModelMetadata, RunFilter, TrackedModel, TrackedRun, Tracking } from "../contracts/tracking.ts";
import { openness } from "../openness.ts";

/** A tracker of models and runs that somebody tells it of. */
export interface MemoryTracking extends Tracking {
  /** Adds a model, or replaces the one at its address. */
  set(model: TrackedModel, metadata?: ModelMetadata): void;
  /** Adds a run, or replaces the one with its id. */
  setRun(run: TrackedRun): void;
}

/** Knows these models, each by its address and, if it has one, by its run; and that there are no others. */
export function memoryTracking(models: Iterable<TrackedModel> = []): MemoryTracking {
  const known = new Map<string, TrackedModel>();
  const described = new Map<string, ModelMetadata>();
  const runs = new Map<string, TrackedRun>();
  const guard = openness("memory tracking");
  const set = (model: TrackedModel, metadata?: ModelMetadata): void => {
    known.set(model.uri, { ...model });
    if (metadata === undefined) described.delete(model.uri);
    else described.set(model.uri, structuredClone(metadata));
  };
  for (const model of models) set(model);
  return {
    capabilities: { validates: true, runs: true, describes: true },
    resolve: guard.wrap(async (trackingId) => {
      const found = [...known.values()].find(({ runId }) => runId === trackingId);
      return found && { ...found };
    }),
    find: guard.wrap(async (uri) => {
      const found = known.get(uri);
      return found && { ...found };
    }),
    describe: guard.wrap(async (uri) => structuredClone(described.get(uri))),
    run: guard.wrap(async (runId) => structuredClone(runs.get(runId))),
    findRuns: guard.wrap(async ({ name, sinceMs, limit = 100 }: RunFilter) =>
      [...runs.values()]
        .filter((run) => name === undefined || run.name === name)
        .filter((run) => sinceMs === undefined || (run.startedAtMs ?? 0) >= sinceMs)
        .sort((one, other) => (other.startedAtMs ?? 0) - (one.startedAtMs ?? 0))
        .slice(0, limit)
        .map((run) => structuredClone(run)),
    ),
    set,
    setRun: (run) => void runs.set(run.id, structuredClone(run)),
    close: guard.close,
  };
}
