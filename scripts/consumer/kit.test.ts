// A kit as an author of an adapter runs it, under Node's own test runner.
import { describe, it } from "node:test";
import { memoryObjectStore } from "@modelgate/core/memory";
import { describeKit, objectStoreKit } from "@modelgate/core/testing";

describeKit({ describe, it }, objectStoreKit, "in memory", () => {
  const objects = memoryObjectStore();
  return { objects, close: () => objects.close() };
});
