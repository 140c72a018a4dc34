import type { TrackedModel, Tracking } from "../contracts/tracking.ts";
import { openness } from "../openness.ts";

/** A tracker of models that somebody tells it of. */
export interface MemoryTracking extends Tracking {
  /** Adds a model, or replaces the one at its address. */
  set(model: TrackedModel): void;
}

/** Knows these models, each by its address and, if it has one, by its run; and that there are no others. */
export function memoryTracking(models: Iterable<TrackedModel> = []): MemoryTracking {
  const known = new Map<string, TrackedModel>();
  const guard = openness("memory tracking");
  const set = (model: TrackedModel): void => void known.set(model.uri, { ...model });
  for (const model of models) set(model);
  return {
    capabilities: { validates: true },
    resolve: guard.wrap(async (trackingId) => {
      const found = [...known.values()].find(({ runId }) => runId === trackingId);
      return found && { ...found };
    }),
    find: guard.wrap(async (uri) => {
      const found = known.get(uri);
      return found && { ...found };
    }),
    set,
    close: guard.close,
  };
}
