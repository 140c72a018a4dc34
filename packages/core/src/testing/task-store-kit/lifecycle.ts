import assert from "node:assert/strict";
import type { OperationOptions } from "../../contracts/common.ts";
import type { TaskStore } from "../../contracts/task-store.ts";
import { newTask } from "../support/builders.ts";
import { plain, read, rejectsWith } from "../support/checks.ts";
import type { TaskStoreTest } from "./fixture.ts";
import { claimOf, StoreRunner } from "./support.ts";

/** The methods that a ledger has not, for a store that has a waiting task `a`. */
async function callsOf(
  store: TaskStore,
): Promise<Record<string, (options?: OperationOptions) => Promise<unknown>>> {
  const runner = new StoreRunner(store);
  await runner.apply();
  const claim = runner.claimRequest(claimOf("a"));
  const apply = runner.next();
  return {
    apply: (options) => store.apply(apply, options),
    claim: (options) => store.claim(claim, options),
  };
}

export const lifecycle: readonly TaskStoreTest[] = [
  {
    name: "an apply or a claim whose signal was aborted before rejects with the signal's reason, and does nothing",
    async run({ store }) {
      await store.insert([newTask("a")]);
      const before = plain(await read(store, "a"));
      const calls = await callsOf(store);
      for (const [name, call] of Object.entries(calls)) {
        const reason = { why: name };
        const error = await call({ signal: AbortSignal.abort(reason) }).then(
          () => "it resolved",
          (thrown: unknown) => thrown,
        );
        assert.equal(error, reason, name);
      }
      assert.deepEqual(plain(await read(store, "a")), before);
      // The sequence that was not applied has not been seen either.
      await calls["claim"]?.();
    },
  },
  {
    name: "a closed store rejects an apply and a claim with CLOSED",
    async run({ store }) {
      await store.insert([newTask("a")]);
      const calls = await callsOf(store);
      await store.close();
      for (const call of Object.values(calls)) await rejectsWith("CLOSED", call());
    },
  },
];
