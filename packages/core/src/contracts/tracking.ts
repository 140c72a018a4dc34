import type { Closable, OperationOptions } from "./common.ts";
import type { JsonValue } from "./record-store.ts";

/** What the tracker says of a model that can be deployed. */
export interface TrackedModel {
  /** Where the model server finds it: `models:/name/3`, `s3://…`, `runs:/…`. */
  readonly uri: string;
  /** The kind of model, as the server's command names it; absent when the tracker does not say. */
  readonly type?: string | undefined;
  /** The run that made it. */
  readonly runId?: string | undefined;
}

/** What was written down beside a model when it was logged, as far as it is there. */
export interface ModelMetadata {
  readonly uuid?: string | undefined;
  readonly runId?: string | undefined;
  readonly artifactPath?: string | undefined;
  /** What goes in and out, as the tracker has it. */
  readonly signature?: Readonly<Record<string, JsonValue>> | undefined;
  /** How it can be loaded, as the tracker has it. */
  readonly flavors?: Readonly<Record<string, JsonValue>> | undefined;
  /** When it was logged, in the tracker's own words. */
  readonly createdAt?: string | undefined;
  readonly trackerVersion?: string | undefined;
}

/**
 * - `active`: it may go on.
 * - `succeeded`, `failed`: it says that it has ended so. `failed` includes runs that were stopped.
 */
export type TrackedRunState = "active" | "succeeded" | "failed";

/** A run. Instants are milliseconds since the epoch, by the clock of whoever logged it. */
export interface TrackedRun {
  readonly id: string;
  /** Servers give it the tracking id, which is a task's id; a tracker makes names up where nobody gave one. */
  readonly name?: string | undefined;
  readonly experimentId: string;
  /** How people call the experiment, where the tracker tells it along. */
  readonly experimentName?: string | undefined;
  readonly state: TrackedRunState;
  /** The tracker's own word: `RUNNING`, `FINISHED`, `KILLED`, … */
  readonly status: string;
  /** The tracker's own word for whether it is still there: `active` or `deleted`. */
  readonly lifecycleStage?: string | undefined;
  readonly startedAtMs?: number | undefined;
  readonly endedAtMs?: number | undefined;
  /** Where people look at it. */
  readonly url?: string | undefined;
  readonly artifactUri?: string | undefined;
  /** The last value of each; may be `NaN` or infinite. */
  readonly metrics: Readonly<Record<string, number>>;
  readonly params: Readonly<Record<string, string>>;
  readonly tags: Readonly<Record<string, string>>;
}

/** Which runs; all that is given must hold. Give `name`, or `sinceMs`. */
export interface RunFilter {
  /** Exactly this name, in any experiment. */
  readonly name?: string | undefined;
  /** Started at this instant or later, by the clock of whoever logged it. */
  readonly sinceMs?: number | undefined;
  /** At most so many, the newest first. Default 100. */
  readonly limit?: number | undefined;
}

/**
 * The experiment tracker: knows runs, where models are, and of what type. While it does not answer, refuses the
 * credentials or answers with what is none of its own, every method rejects `TRACKING_UNAVAILABLE` within its time
 * limit, which says why.
 */
export interface Tracking extends Closable {
  readonly capabilities: {
    /** Whether `find` can say that an address leads nowhere. */
    readonly validates: boolean;
    /** Whether `run` and `findRuns` can tell. */
    readonly runs: boolean;
    /** Whether `describe` can tell. */
    readonly describes: boolean;
  };
  /** The model that a run made; `undefined` when there is no such run or model. */
  resolve(trackingId: string, options?: OperationOptions): Promise<TrackedModel | undefined>;
  /** What is known of the model at an address; `undefined` when nothing is there. */
  find(uri: string, options?: OperationOptions): Promise<TrackedModel | undefined>;
  /** What was written down beside the model at an address; `undefined` when there is nothing. Rejects `UNSUPPORTED` unless claimed. */
  describe(uri: string, options?: OperationOptions): Promise<ModelMetadata | undefined>;
  /** A run by its id, as it is now; `undefined` when there is none. Rejects `UNSUPPORTED` unless claimed. */
  run(runId: string, options?: OperationOptions): Promise<TrackedRun | undefined>;
  /** Runs as they are now, the newest first. Rejects `UNSUPPORTED` unless claimed. */
  findRuns(filter: RunFilter, options?: OperationOptions): Promise<readonly TrackedRun[]>;
}
