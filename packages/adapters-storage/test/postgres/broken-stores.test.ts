import type { RecordStore, Wakeups } from "@modelgate/core";
import { memoryWakeupsHub } from "@modelgate/core/memory";
import { type Kit, type KitFixture, recordStoreKit, runKitTest, wakeupsKit } from "@modelgate/core/testing";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { patience } from "../../../core/src/testing/checks/waiting.ts";
import { RECORD_STORE_FAULTS } from "../../../core/test/testing/broken/record-store/broken-record-stores.ts";
import { WAKEUPS_FAULTS } from "../../../core/test/testing/broken/wakeups/broken-wakeups.ts";
import { requireService } from "../support/services.ts";
import { newSchema } from "./store-fixture.ts";

const url = requireService("PG18_URL");

/** In memory it is planted behind the client; here another client does what the closed one should not. */
const ON_BEHIND = "keeps the listeners of a closed client";

describe.skipIf(url === undefined)("on PostgreSQL too, the kit finds", () => {
  const usualMs = patience.ms;
  beforeAll(() => {
    patience.ms = 3_000;
  });
  afterAll(() => {
    patience.ms = usualMs;
  });

  describe("a record store that", () => {
    for (const { fault, breaks, change } of RECORD_STORE_FAULTS) {
      if (change === undefined) continue;
      it.concurrent(fault, { timeout: 60_000 }, async () => {
        await expectFound(recordStoreKit, breaks, () => {
          const schema = newSchema(url ?? "");
          const open = (): RecordStore => brokenRecords(schema.open().records, change);
          return { records: open(), another: async () => open(), close: () => schema.end() };
        });
      });
    }
  });

  describe("a client for wake-ups that", () => {
    for (const { fault, breaks, change } of WAKEUPS_FAULTS) {
      it.concurrent(fault, { timeout: 60_000 }, async () => {
        await expectFound(wakeupsKit, breaks, () => {
          const schema = newSchema(url ?? "");
          const open = (): Wakeups => {
            const good = wakeupsOf(schema.open().wakeups);
            if (fault === ON_BEHIND) return { ...good, ...listeningBehind(good, schema.open().wakeups) };
            return { ...good, ...change(good, memoryWakeupsHub()) };
          };
          return { wakeups: open(), other: open(), close: () => schema.end() };
        });
      });
    }
  });
});

/** That it passes with a store that is right, the kits' own suites show. */
async function expectFound<Fixture extends KitFixture>(
  kit: Kit<Fixture>,
  breaks: string,
  open: () => Fixture,
): Promise<void> {
  const test = kit.tests.find(({ name }) => name === breaks);
  expect(test, "the test that must find it").toBeDefined();
  if (test === undefined) return;
  const outcome = await runKitTest(test, open).then(
    () => "not found",
    () => "found",
  );
  expect(outcome).toBe("found");
}

/** Methods as fields, which the faults spread into objects of their own. */
function brokenRecords(
  records: RecordStore,
  change: (good: RecordStore) => Partial<RecordStore>,
): RecordStore {
  const good: RecordStore = {
    get: (key, options) => records.get(key, options),
    put: (key, value, expected, options) => records.put(key, value, expected, options),
    delete: (key, expected, options) => records.delete(key, expected, options),
    list: (prefix, cursor, options) => records.list(prefix, cursor, options),
    close: () => records.close(),
  };
  return { ...good, ...change(good) };
}

function wakeupsOf(wakeups: Wakeups): Wakeups {
  return {
    publish: (topic, names, options) => wakeups.publish(topic, names, options),
    subscribe: (topic, listener) => wakeups.subscribe(topic, listener),
    close: () => wakeups.close(),
  };
}

function listeningBehind(good: Wakeups, behind: Wakeups): Pick<Wakeups, "subscribe"> {
  return {
    subscribe(topic, listener) {
      const stops = [good.subscribe(topic, () => {}), behind.subscribe(topic, listener)];
      return () => {
        for (const stop of stops) stop();
      };
    },
  };
}
