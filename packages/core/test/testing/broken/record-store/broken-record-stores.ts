import { setImmediate as turn } from "node:timers/promises";
import type { JsonValue, RecordStore, StoredRecord } from "../../../../src/contracts/record-store.ts";
import { GatewayError } from "../../../../src/errors.ts";
import { memoryRecordStore } from "../../../../src/memory/record-store.ts";
import type { RecordStoreFixture } from "../../../../src/testing/record-store-kit/fixture.ts";
import type { PlantedFault } from "../lifecycle/failing-tests.ts";

interface RecordStoreFault extends PlantedFault<RecordStoreFixture> {
  /** Plants it into any store; absent where it is no matter of the calls. */
  readonly change?: (good: RecordStore) => Partial<RecordStore>;
}

function planted(
  fault: string,
  breaks: string,
  change: (good: RecordStore) => Partial<RecordStore>,
): RecordStoreFault {
  return {
    fault,
    breaks,
    change,
    open() {
      const good = memoryRecordStore();
      return { records: { ...good, ...change(good) }, close: () => good.close() };
    },
  };
}

export const RECORD_STORE_FAULTS: readonly RecordStoreFault[] = [
  planted(
    "compares a version first and writes later",
    "of many who change one version at once, one does, and a count that all carry on loses no step",
    (good) => ({
      async put(key, value, expected, options) {
        if (expected === null) return await good.put(key, value, null, options);
        if ((await good.get(key, options))?.version !== expected) return undefined;
        await turn();
        const latest = await good.get(key);
        return latest && (await good.put(key, value, latest.version, options));
      },
    }),
  ),
  planted(
    "makes a record's version of its value",
    "every write gives the record another version, also with the same value or after a delete",
    (good) => {
      const versioned = (record: StoredRecord): StoredRecord => ({
        ...record,
        version: `v${JSON.stringify(record.value)}`,
      });
      const found = async (key: string, version: string): Promise<StoredRecord | undefined> => {
        const record = await good.get(key);
        return record !== undefined && versioned(record).version === version ? record : undefined;
      };
      return {
        async get(key, options) {
          const record = await good.get(key, options);
          return record && versioned(record);
        },
        async put(key, value, expected, options) {
          options?.signal?.throwIfAborted();
          const before = expected === null ? undefined : await found(key, expected);
          if (expected !== null && before === undefined) {
            // What is refused is refused for every version.
            return await good.put(key, value, "none", options);
          }
          const record = await good.put(key, value, before?.version ?? null, options);
          return record && versioned(record);
        },
        async delete(key, expected, options) {
          options?.signal?.throwIfAborted();
          const before = await found(key, expected);
          return before === undefined ? false : await good.delete(key, before.version, options);
        },
        async list(prefix, cursor, options) {
          const page = await good.list(prefix, cursor, options);
          return { ...page, items: page.items.map(versioned) };
        },
      };
    },
  ),
  planted(
    "creates over a record that was there",
    "with null, put creates a record once, and changes none",
    (good) => ({
      async put(key, value, expected, options) {
        const written = await good.put(key, value, expected, options);
        if (written !== undefined || expected !== null || value !== "second") return written;
        return await good.put(key, value, (await good.get(key))?.version ?? null, options);
      },
    }),
  ),
  planted(
    "deletes whatever version is there",
    "delete removes the version that it was given, and no other, and tells whether it did",
    (good) => ({
      async delete(key, _expected, options) {
        const { version = "none" } = (await good.get(key, options)) ?? {};
        return await good.delete(key, version, options);
      },
    }),
  ),
  planted(
    "counts characters where it should count bytes",
    "a value is measured in bytes, not in characters",
    (good) => ({
      async put(key, value, expected, options) {
        try {
          return await good.put(key, value, expected, options);
        } catch (error) {
          const isShort = JSON.stringify(value).length <= 262_144;
          if (isShort && GatewayError.is(error, "INVALID_REQUEST")) return { key, value, version: "1" };
          throw error;
        }
      },
    }),
  ),
  planted(
    "takes a record whose value is null for none",
    "a record whose value is null is a record",
    (good) => ({
      async get(key, options) {
        const record = await good.get(key, options);
        return record?.value === null ? undefined : record;
      },
    }),
  ),
  planted(
    "writes texts as UTF-8, which has no half of a pair",
    "a value of any kind of JSON comes back exactly",
    (good) => ({
      put: (key, value, expected, options) => good.put(key, wellFormed(value), expected, options),
    }),
  ),
  planted(
    "drops the spaces at the end of a key",
    "keys hold their records apart, whatever characters they have",
    (good) => ({
      get: (key, options) => good.get(key.trimEnd(), options),
      put: (key, value, expected, options) => good.put(key.trimEnd(), value, expected, options),
    }),
  ),
  planted(
    "takes a prefix for a pattern",
    "list gives the records whose key begins with the prefix, letter by letter",
    (good) => ({
      async list(prefix, cursor, options) {
        const literal = prefix.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
        const pattern = new RegExp(`^${literal.replaceAll("%", ".*").replaceAll("_", ".")}`, "s");
        const items: StoredRecord[] = [];
        for (let page = await good.list("", cursor, options); ; ) {
          items.push(...page.items.filter(({ key }) => pattern.test(key)));
          if (page.nextCursor === undefined) return { items };
          page = await good.list("", page.nextCursor, options);
        }
      },
    }),
  ),
  planted(
    "begins the next page with the record that ended the last one",
    "page by page, thousands of records come in order and once each, while others write",
    (good) => ({
      async list(prefix, cursor, options) {
        const page = await good.list(prefix, cursor && `${cursor.slice(0, -1)}!`, options);
        return page;
      },
    }),
  ),
  {
    fault: "gives its records other versions after a restart",
    breaks: "a durable store has its records, with their versions, when it is opened again",
    open() {
      const good = memoryRecordStore();
      const renumbered: RecordStore = {
        ...good,
        async get(key, options) {
          const record = await good.get(key, options);
          return record && { ...record, version: `${record.version}-again` };
        },
      };
      return { records: good, reopen: async () => renumbered, close: () => good.close() };
    },
  },
];

function wellFormed(value: JsonValue): JsonValue {
  return JSON.parse(JSON.stringify(value), (_, part: unknown) =>
    typeof part === "string" ? part.toWellFormed() : part,
  ) as JsonValue;
}
