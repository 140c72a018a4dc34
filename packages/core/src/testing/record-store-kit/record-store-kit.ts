import assert from "node:assert/strict";
import type { OperationOptions } from "../../contracts/common.ts";
import type { RecordStore } from "../../contracts/record-store.ts";
import { leaveNoListener, nameOf, rejectWhenAborted } from "../checks/rejections.ts";
import { settles } from "../checks/waiting.ts";
import type { Kit } from "../kit/kit.ts";
import { lifecycleTests } from "../lifecycle-kit/lifecycle-kit.ts";
import { allKeys, create, type RecordStoreFixture, type RecordStoreTest, valueAt } from "./fixture.ts";
import { listing } from "./listing.ts";
import { values } from "./values.ts";
import { writing } from "./writing.ts";

/** Signals: an abort ends the wait; a write is made or not, never half. */
const aborting: readonly RecordStoreTest[] = [
  {
    name: "a signal that was aborted before makes every method reject with its reason, and nothing happens",
    async run({ records }) {
      const { version } = await create(records, "k", "kept");
      await rejectWhenAborted(callsOf(records, version));
      assert.deepEqual(await allKeys(records), ["k"]);
      assert.equal(await valueAt(records, "k"), "kept");
    },
  },
  {
    name: "a write that is aborted on its way is made or not, and rejects with nothing but the reason",
    async run({ records }) {
      const reason = new Error("enough");
      for (let round = 0; round < 10; round += 1) {
        const key = `k${round}`;
        const { version } = await create(records, key, "old");
        const controller = new AbortController();
        const writing = records.put(key, "new", version, { signal: controller.signal });
        const outcome = settles(
          "put",
          writing.then(
            () => "written",
            (error: unknown) => error,
          ),
        );
        controller.abort(reason);
        const end = await outcome;
        assert.ok(end === "written" || end === reason, `put rejected with ${nameOf(end)}`);
        const value = await valueAt(records, key);
        assert.ok(value === "new" || (value === "old" && end === reason), `the record is ${String(value)}`);
      }
    },
  },
  {
    name: "a call that is over has left no listener on the caller's signal",
    async run({ records }) {
      const { version } = await create(records, "k", 1);
      await leaveNoListener(callsOf(records, version));
    },
  },
];

/** What must hold of every `RecordStore`. */
export const recordStoreKit: Kit<RecordStoreFixture> = {
  contract: "RecordStore",
  tests: [
    ...writing,
    ...values,
    ...listing,
    ...aborting,
    ...lifecycleTests((fixture: RecordStoreFixture) => ({
      ...fixture,
      subject: fixture.records,
      calls: callsOf(fixture.records, "a version"),
    })),
  ],
};

function callsOf(
  records: RecordStore,
  version: string,
): Record<string, (options?: OperationOptions) => Promise<unknown>> {
  return {
    get: (options) => records.get("k", options),
    put: (options) => records.put("other", 1, null, options),
    list: (options) => records.list("", undefined, options),
    delete: (options) => records.delete("k", version, options),
  };
}
