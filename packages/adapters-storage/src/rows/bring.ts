import type { GatewayError, OperationOptions, TaskRecord } from "@modelgate/core";

/**
 * - `brought`: it is here now.
 * - `known`: a task of this id was here before, and stays as it is.
 * - `refused`: nobody could go on with it.
 */
export type BroughtOutcome =
  | { readonly outcome: "brought" | "known" }
  | { readonly outcome: "refused"; readonly error: GatewayError };

/** What a store does beyond the ledger's contract, for whoever moves to it. */
export interface BringsTasks {
  /**
   * Takes tasks as they are from another system, with their instants: such as wait, such as were sent and that nobody
   * looks after, and such as have ended. Bytes come with them as `inline`, or lie under their `key` already. One outcome
   * for each, in order. May be repeated. No gateway has to be stopped.
   */
  bringTasks(tasks: readonly TaskRecord[], options?: OperationOptions): Promise<readonly BroughtOutcome[]>;
}
