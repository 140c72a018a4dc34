import { rm } from "node:fs/promises";
import type { TaskStore } from "@modelgate/core";
import { ManualClock } from "../../../core/test/discovery/manual-clock.ts";
import { openSqliteStore } from "../../src/sqlite/sqlite-store.ts";
import type { StoreClient } from "../../src/sqlite/store-client.ts";
import { freeze, newDirectory } from "./store-fixture.ts";

const BEGUN_AT_MS = 1_700_000_000_000;

/** Task stores in one directory, each with a thread of its own, and the clock of them all. */
export interface TaskStores {
  readonly clock: ManualClock;
  open(): Promise<TaskStore>;
  elapse(ms: number): Promise<void>;
  closeAll(): Promise<void>;
  /** Closes all and removes the directory. */
  end(): Promise<void>;
}

export async function newTaskStores(): Promise<TaskStores> {
  const directory = await newDirectory(true);
  const clock = new ManualClock();
  await clock.advance(BEGUN_AT_MS);
  let opened: { store: { close(): Promise<void> }; client: StoreClient }[] = [];
  const closeAll = async (): Promise<void> => {
    const closing = opened;
    opened = [];
    await Promise.all(closing.map(({ store }) => store.close()));
  };
  return {
    clock,
    async open() {
      const found = openSqliteStore({ directory });
      await freeze(found.client, clock.now());
      opened.push(found);
      return asObject(found.store.tasks, () => {
        // A test may close what it was given; the others need not be told the time any more.
        opened = opened.filter((each) => each !== found);
        return found.store.close();
      });
    },
    async elapse(ms) {
      await clock.advance(ms);
      await Promise.all(opened.map(({ client }) => freeze(client, clock.now())));
    },
    closeAll,
    async end() {
      await closeAll();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

/** Its methods as fields, which faults spread into objects of their own. */
function asObject(tasks: TaskStore, close: () => Promise<void>): TaskStore {
  return {
    capabilities: tasks.capabilities,
    insert: (batch, options) => tasks.insert(batch, options),
    apply: (request, options) => tasks.apply(request, options),
    claim: (request, options) => tasks.claim(request, options),
    get: (ids, options) => tasks.get(ids, options),
    list: (request, options) => tasks.list(request, options),
    amend: (batch, options) => tasks.amend(batch, options),
    sweep: (request, options) => tasks.sweep(request, options),
    stats: (options) => tasks.stats(options),
    close,
  };
}
