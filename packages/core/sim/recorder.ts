import type { HistoryEvent } from "../src/testing/checker/index.ts";
import type { VirtualTime } from "./virtual-time.ts";

type Untimed<E> = E extends unknown ? Omit<E, "atMs"> : never;

/** What a run counted beside its history. */
export interface RunCounts {
  readonly faults: Record<string, number>;
  readonly faultsInAttempt: Record<string, number>;
  readonly crashed: Record<string, number>;
}

function increment(counts: Record<string, number>, key: string): void {
  counts[key] = (counts[key] ?? 0) + 1;
}

/** Writes the history of one world down, in the order in which things happen. */
export class Recorder {
  readonly history: HistoryEvent[] = [];
  readonly counts: RunCounts = { faults: {}, faultsInAttempt: {}, crashed: {} };
  readonly #time: VirtualTime;
  /** Tasks that an attempt holds now, by what the store boundary saw. */
  readonly held: Set<string> = new Set();

  constructor(time: VirtualTime) {
    this.#time = time;
  }

  add(event: Untimed<HistoryEvent>): void {
    this.history.push({ atMs: this.#time.nowMs, ...event } as HistoryEvent);
  }

  fault(fault: string, by?: string): void {
    const inAttempt = this.held.size > 0;
    increment(this.counts.faults, fault);
    if (inAttempt) increment(this.counts.faultsInAttempt, fault);
    this.add({ kind: "fault", fault, by, inAttempt });
  }

  crashed(by: string, checkpoint: string): void {
    increment(this.counts.crashed, checkpoint);
    this.fault("crash", by);
    this.add({ kind: "process", by, change: "crashed", checkpoint });
  }
}
