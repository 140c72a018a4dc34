import type { Ledger } from "../src/contracts/ledger.ts";
import type { ObjectStore } from "../src/contracts/object-store.ts";
import type { Queue } from "../src/contracts/queue.ts";
import type { TaskStore } from "../src/contracts/task-store.ts";
import type { SimProcess } from "./sim-process.ts";
import type { VirtualTime } from "./virtual-time.ts";

interface WrapContext {
  readonly process: SimProcess;
  readonly time: VirtualTime;
}

/** Where a planted fault may stand. What it leaves alone stays as it is. */
export interface Wrap {
  /** Between a gateway and its ledger. */
  ledger(ledger: Ledger, context: WrapContext): Ledger;
  /** Between a gateway and its objects. */
  objects(objects: ObjectStore, context: WrapContext): ObjectStore;
  /** The stores that all share, below the border where the history is recorded. */
  sharedLedger(ledger: Ledger): Ledger;
  sharedStore(store: TaskStore): TaskStore;
  sharedQueue(queue: Queue): Queue;
}

export const noWrap: Wrap = {
  ledger: (ledger) => ledger,
  objects: (objects) => objects,
  sharedLedger: (ledger) => ledger,
  sharedStore: (store) => store,
  sharedQueue: (queue) => queue,
};
