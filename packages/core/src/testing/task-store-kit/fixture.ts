import type { TaskStore } from "../../contracts/task-store.ts";
import type { KitFixture, KitTest } from "../kit/kit.ts";
import type { LedgerFixture } from "../ledger-kit/fixture.ts";
import type { Elapsing } from "../support/checks.ts";
import { withoutQueue } from "./without-queue.ts";

/** An empty task store, and what a test may do with the world around it. */
export interface TaskStoreFixture extends KitFixture, Elapsing {
  readonly store: TaskStore;
  /** A further client of the same backend: another connection or process. Needed when it claims to be shared. */
  another?: (() => Promise<TaskStore>) | undefined;
  /** Closes every client and opens the backend again. Needed when it claims to be durable. */
  reopen?: (() => Promise<TaskStore>) | undefined;
  /** Rows of the long walk through a listing. Default 100,000. */
  readonly walkRows?: number | undefined;
}

export type TaskStoreTest = KitTest<TaskStoreFixture>;

/** The same store for the tests of a ledger's rows. */
export function asLedgerFixture(fixture: TaskStoreFixture): LedgerFixture {
  const { another, reopen, elapse } = fixture;
  return {
    ledger: withoutQueue(fixture.store),
    another: another && (async () => withoutQueue(await another())),
    reopen: reopen && (async () => withoutQueue(await reopen())),
    elapse: elapse && ((ms) => elapse(ms)),
    walkRows: fixture.walkRows,
    close: () => fixture.close(),
  };
}
