import type { Closable, OperationOptions } from "./common.ts";

/** What the tracker says of a model that can be deployed. */
export interface TrackedModel {
  /** Where the model server finds it: `models:/name/3`, `s3://…`, `runs:/…`. */
  readonly uri: string;
  /** The kind of model, as the server's command names it; absent when the tracker does not say. */
  readonly type?: string | undefined;
  /** The run that made it. */
  readonly runId?: string | undefined;
}

/** The experiment tracker: knows runs, where models are, and of what type. */
export interface Tracking extends Closable {
  readonly capabilities: {
    /** Whether `find` can say that an address leads nowhere. */
    readonly validates: boolean;
  };
  /** The model that a run made; `undefined` when there is no such run or model. Rejects `TRACKING_UNAVAILABLE`. */
  resolve(trackingId: string, options?: OperationOptions): Promise<TrackedModel | undefined>;
  /** What is known of the model at an address; `undefined` when nothing is there. Rejects `TRACKING_UNAVAILABLE`. */
  find(uri: string, options?: OperationOptions): Promise<TrackedModel | undefined>;
}
