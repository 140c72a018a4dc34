import type { Ledger, TaskStore } from "@modelgate/core";
import { memoryTaskStore } from "@modelgate/core/memory";
import { describe, it } from "vitest";
import { withoutQueue } from "../../../core/src/testing/task-store-kit/without-queue.ts";
import { compareLedgers } from "../support/compare-ledgers.ts";
import { freeze, newDirectory, openStore } from "./store-fixture.ts";

const SEEDS = Number(process.env["MODELGATE_SEEDS"] ?? 20);
const FIRST = Number(process.env["MODELGATE_FIRST_SEED"] ?? 1);

/** A ledger of the store alone, whose replies also carry what the store said. */
function telling(store: TaskStore): Ledger {
  let told: unknown[] = [];
  const ledger = withoutQueue({
    ...asObject(store),
    async apply(request, options) {
      const reply = await store.apply(request, options);
      // In which order many go back at once, or are recovered, is left to the store.
      const returned = reply.returned.toSorted((a, b) => (a.id < b.id ? -1 : 1));
      const grants = reply.grants.toSorted((a, b) => (a.task.id < b.task.id ? -1 : 1));
      told.push({ ...reply, returned, grants });
      return reply;
    },
    async claim(request, options) {
      const outcomes = await store.claim(request, options);
      told.push(outcomes);
      return outcomes;
    },
  });
  return {
    ...ledger,
    async exchange(request, options) {
      told = [];
      const reply = await ledger.exchange(request, options);
      return { ...reply, told };
    },
  };
}

function asObject(store: TaskStore): TaskStore {
  return {
    capabilities: store.capabilities,
    insert: (batch, options) => store.insert(batch, options),
    apply: (request, options) => store.apply(request, options),
    claim: (request, options) => store.claim(request, options),
    get: (ids, options) => store.get(ids, options),
    list: (request, options) => store.list(request, options),
    amend: (batch, options) => store.amend(batch, options),
    sweep: (request, options) => store.sweep(request, options),
    stats: (options) => store.stats(options),
    close: () => store.close(),
  };
}

describe("the task store in SQLite against the one in memory", () => {
  it("answers alike, call for call", { timeout: 300_000 }, async () => {
    for (let seed = FIRST; seed < FIRST + SEEDS; seed += 1) {
      const { store, client } = await openStore({ directory: await newDirectory(true) });
      await compareLedgers(
        seed,
        telling(store.tasks),
        (nowMs) => freeze(client, nowMs),
        (options) => telling(memoryTaskStore(options)),
      );
      await store.close();
    }
  });
});
