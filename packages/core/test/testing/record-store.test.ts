import { describe, it } from "vitest";
import { memoryRecordStore } from "../../src/memory/record-store.ts";
import { describeKit } from "../../src/testing/kit/kit.ts";
import { recordStoreKit } from "../../src/testing/record-store-kit/record-store-kit.ts";
import { expectFaultsFound } from "./broken/lifecycle/failing-tests.ts";
import { RECORD_STORE_FAULTS } from "./broken/record-store/broken-record-stores.ts";

describeKit({ describe, it }, recordStoreKit, "memory", () => {
  const records = memoryRecordStore();
  return { records, close: () => records.close() };
});

describe("the kit of record stores", () => {
  expectFaultsFound(recordStoreKit, RECORD_STORE_FAULTS);
});
