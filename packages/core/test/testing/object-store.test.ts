import { describe, it } from "vitest";
import { memoryObjectStore } from "../../src/memory/object-store.ts";
import { describeKit } from "../../src/testing/kit/kit.ts";
import { objectStoreKit } from "../../src/testing/object-store-kit/object-store-kit.ts";
import { expectFaultsFound } from "./broken/lifecycle/failing-tests.ts";
import { OBJECT_STORE_FAULTS } from "./broken/object-store/broken-object-stores.ts";
import { openWithAddresses } from "./object-store-with-addresses.ts";

describeKit({ describe, it }, objectStoreKit, "memory", () => {
  const objects = memoryObjectStore();
  return {
    objects,
    small: async () => memoryObjectStore({ maxBytes: 1024 * 1024 }),
    close: () => objects.close(),
  };
});

describeKit({ describe, it }, objectStoreKit, "memory with addresses", () => openWithAddresses());

describe("the kit of object stores", () => {
  const alone = objectStoreKit.tests.map(({ name }) => name).filter((name) => / (holds|held)\b/.test(name));
  expectFaultsFound(objectStoreKit, OBJECT_STORE_FAULTS, { alone });
});
