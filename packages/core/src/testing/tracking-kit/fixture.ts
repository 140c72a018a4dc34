import type { TrackedModel, Tracking } from "../../contracts/tracking.ts";
import type { KitFixture, KitTest } from "../kit/kit.ts";
import type { LifecycleParts } from "../lifecycle-kit/lifecycle-kit.ts";

/** A model that a run made. */
export interface MadeModel extends TrackedModel {
  readonly runId: string;
}

/** A tracking, and the tracker that it asks. */
export interface TrackingFixture extends KitFixture, LifecycleParts {
  readonly tracking: Tracking;
  /** Lets a run make a model, of this type if one is given; resolves what is to be told of it. */
  readonly add: (type?: string) => Promise<MadeModel>;
  /** Ids as runs have them, of runs that there are not, and one of a run that made no model if the tracker can have one. */
  readonly unknownRuns: readonly string[];
  /** Addresses at which nothing is. */
  readonly unknownUris: readonly string[];
  /** Makes the tracker not answer, runs `meanwhile`, and lets it answer again. */
  readonly interrupt?: ((meanwhile: () => Promise<void>) => Promise<void>) | undefined;
}

export type TrackingTest = KitTest<TrackingFixture>;
