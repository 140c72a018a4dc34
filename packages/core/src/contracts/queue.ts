import type { Closable, OperationOptions, Page } from "./common.ts";

/** A waiting task's place in its lane. */
export interface QueueEntry {
  readonly id: string;
  readonly lane: string;
  readonly background: boolean;
  /** Lowest first; ties by id. */
  readonly rank: number;
  /** Not delivered before so many milliseconds have passed; 0 for at once. */
  readonly delayMs: number;
}

/** An entry handed out. Until it is settled, or `visibilityMs` has passed, nobody else gets it. */
export interface Delivery extends Omit<QueueEntry, "delayMs"> {
  readonly receipt: string;
}

export interface TakeRequest {
  /** What to take: at most `max` in all, at most `max` of each lane, in rank order over the lanes. */
  readonly lanes: readonly { readonly lane: string; readonly max: number; readonly background: boolean }[];
  readonly max: number;
  readonly visibilityMs: number;
}

export type DeliverySettlement =
  | { readonly receipt: string; readonly kind: "done" }
  | { readonly receipt: string; readonly kind: "back"; readonly delayMs: number };

export interface QueueCapabilities {
  /**
   * - `exact`: the lowest rank first.
   * - `bands`: entries fall into a few bands by how far their rank lies before the time at which they are enqueued,
   *   first come first served in each. Ranks of now and of ten hours ago are in different bands. An entry that is
   *   enqueued again later has grown older, and may move up.
   */
  readonly order: "exact" | "bands";
  readonly shared: boolean;
  /**
   * Whether entries are found by their id. Where they are not, an id that is enqueued again gets one entry more, so
   * that it may be delivered several times; `remove` and `audit` reject `UNSUPPORTED`; a delivery that nobody settles
   * comes back when its client's connection ends, which may be before or after `visibilityMs`; a delay may be
   * exceeded by some seconds, and counts may be as late.
   */
  readonly keyed: boolean;
}

/** Where entries wait. */
export interface QueueLane {
  readonly lane: string;
  readonly background: boolean;
}

export interface QueueStatsOptions extends OperationOptions {
  /** Lanes whose entries are counted one by one. */
  readonly lanes?: readonly QueueLane[] | undefined;
}

export interface QueueStats {
  /** Entries that wait, the delayed among them. */
  readonly waiting: number;
  /** Deliveries that are not settled; of this client alone where entries are not found by their id. */
  readonly delivered: number;
  /** Of each lane that was asked for, in that order: how many entries wait and are not delayed. */
  readonly ready?: readonly number[] | undefined;
}

/**
 * Order, and nothing else. It may lose everything, deliver twice or deliver what has long ended without losing or
 * repeating a task: the task store decides. It carries no payload.
 */
export interface Queue extends Closable {
  readonly capabilities: QueueCapabilities;
  /** Adds entries. Where they are keyed, an id that waits already keeps one entry, with the new rank, lane and delay. */
  enqueue(batch: readonly QueueEntry[], options?: OperationOptions): Promise<void>;
  /** Hands out the first entries of the lanes; resolves at once, with none when there is none. */
  take(request: TakeRequest, options?: OperationOptions): Promise<readonly Delivery[]>;
  /** Ends deliveries: done with, or back to their place. An unknown receipt is ignored. */
  settle(batch: readonly DeliverySettlement[], options?: OperationOptions): Promise<void>;
  /** Takes entries out, waiting or delivered; unknown ids are ignored. */
  remove(ids: readonly string[], options?: OperationOptions): Promise<void>;
  stats(options?: QueueStatsOptions): Promise<QueueStats>;
  /**
   * Changes when content may have been lost since the last look, so that everything is enqueued again at once. A queue
   * whose entries are not keyed may miss a loss; then `ready` in its `stats` shows it.
   */
  incarnation(options?: OperationOptions): Promise<string>;
  /** Ids that wait or are delivered, in id order, for the reconciler's slow comparison. */
  audit(cursor: string | undefined, limit: number, options?: OperationOptions): Promise<Page<string>>;
}
