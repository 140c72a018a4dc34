import type { ModelMetadata, TrackedModel, TrackedRunState, Tracking } from "../../contracts/tracking.ts";
import type { KitFixture, KitTest } from "../kit/kit.ts";
import type { LifecycleParts } from "../lifecycle-kit/lifecycle-kit.ts";

/** A model that a run made. */
export interface MadeModel extends TrackedModel {
  readonly runId: string;
}

/** A run to be logged. */
export interface RunSample {
  readonly name: string;
  /** Whole milliseconds. */
  readonly startedAtMs: number;
  readonly endedAtMs?: number | undefined;
  /** Default `active`. */
  readonly state?: TrackedRunState | undefined;
  readonly metrics?: Readonly<Record<string, number>> | undefined;
  readonly params?: Readonly<Record<string, string>> | undefined;
  readonly tags?: Readonly<Record<string, string>> | undefined;
}

/** A tracking, and the tracker that it asks. */
export interface TrackingFixture extends KitFixture, LifecycleParts {
  readonly tracking: Tracking;
  /** Lets a run make a model, of this type if one is given; resolves what is to be told of it. */
  readonly add: (type?: string) => Promise<MadeModel>;
  /** What was written down beside a model of `add`, if the tracking claims `describes`. */
  readonly metadataOf?: ((made: MadeModel) => ModelMetadata) | undefined;
  /** Logs a run, each in an experiment of its own where there are such; resolves its id. For trackings that claim `runs`. */
  readonly addRun?: ((sample: RunSample) => Promise<string>) | undefined;
  /** Lets a run of `addRun` that is active end. */
  readonly endRun?: ((runId: string, state: "succeeded" | "failed") => Promise<void>) | undefined;
  /** Ids as runs have them, of runs that there are not, and one of a run that made no model if the tracker can have one. */
  readonly unknownRuns: readonly string[];
  /** Addresses at which nothing is. */
  readonly unknownUris: readonly string[];
  /** Makes the tracker not answer, runs `meanwhile`, and lets it answer again. */
  readonly interrupt?: ((meanwhile: () => Promise<void>) => Promise<void>) | undefined;
}

export type TrackingTest = KitTest<TrackingFixture>;
