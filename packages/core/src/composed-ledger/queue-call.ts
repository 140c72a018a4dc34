import type { Checkpoint, CheckpointName } from "../checkpoint.ts";
import type { OperationOptions } from "../contracts/common.ts";
import type { Queue, QueueEntry } from "../contracts/queue.ts";

export interface QueueHost {
  readonly queue: Queue;
  readonly checkpoint: Checkpoint;
  /** The queue failed. */
  readonly onFailure: (operation: string, error: unknown) => void;
  /** Entries of these tasks may not have reached the queue. */
  readonly onLost: (ids: readonly string[]) => void;
  /** Whether the queue hung a moment ago, so that it is not asked now. */
  readonly isAway: () => boolean;
}

/**
 * What one call of the ledger asks of the queue. The store is the truth, so the queue's failure fails no call: it is
 * reported and healed, and what the same call would still have asked is left out, as is what others ask shortly after
 * a queue hung: it holds up one of them at a time.
 */
export class QueueCall {
  readonly #host: QueueHost;
  readonly #signal: AbortSignal | undefined;
  #isBroken = false;

  constructor(host: QueueHost, signal: AbortSignal | undefined) {
    this.#host = host;
    this.#signal = signal;
  }

  /** What the queue answered, or `undefined` when it failed now or earlier in this call. */
  async ask<T>(
    name: CheckpointName,
    question: (queue: Queue, options: OperationOptions) => Promise<T>,
  ): Promise<T | undefined> {
    if (this.#isBroken || this.#host.isAway()) return undefined;
    const { queue, checkpoint, onFailure } = this.#host;
    try {
      return await checkpoint(name, question(queue, { signal: this.#signal }));
    } catch (error) {
      this.#isBroken = true;
      if (!this.#signal?.aborted) onFailure(name, error);
      return undefined;
    }
  }

  async enqueue(name: CheckpointName, entries: readonly QueueEntry[]): Promise<void> {
    if (entries.length === 0) return;
    const isDone = await this.ask(name, async (queue, options) => {
      await queue.enqueue(entries, options);
      return true;
    });
    if (isDone !== true) this.#host.onLost(entries.map(({ id }) => id));
  }

  async remove(name: CheckpointName, ids: readonly string[]): Promise<void> {
    // What is not removed is found to be gone when it is claimed, or by the slow comparison.
    if (ids.length > 0 && this.#host.queue.capabilities.keyed)
      await this.ask(name, (queue, options) => queue.remove(ids, options));
  }
}
