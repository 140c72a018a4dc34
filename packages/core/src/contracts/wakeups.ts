import type { Closable, OperationOptions } from "./common.ts";

/**
 * - `work`: a lane has something to grant.
 * - `ended`: a task reached its terminal state.
 * - `deployments`: what is deployed, or shall be, has changed.
 */
export type WakeupTopic = "work" | "ended" | "deployments";

/**
 * Hints between processes. They may be lost, repeated or late: polling is the net, and nothing is true because a
 * wake-up said so.
 */
export interface Wakeups extends Closable {
  /**
   * Tells the others. `names` are models for `work` and `deployments`, and task ids for `ended`; large sets may be cut
   * short.
   */
  publish(topic: WakeupTopic, names: readonly string[], options?: OperationOptions): Promise<void>;
  /**
   * Calls `listener` for each hint until the function returned is called. A listener must not throw. A hint without a
   * name says that some may have been missed.
   */
  subscribe(topic: WakeupTopic, listener: (names: readonly string[]) => void): () => void;
}
