import type { JsonValue, RecordStore, StoredRecord } from "../contracts/record-store.ts";
import { GatewayError } from "../errors.ts";
import { openness } from "../openness.ts";
import { pageOfKeys } from "./page-of-keys.ts";

const MAX_VALUE_BYTES = 262_144;

interface StoredText {
  readonly text: string;
  readonly version: string;
}

/** Small documents in memory; nothing durable. */
export function memoryRecordStore(): RecordStore {
  const records = new Map<string, StoredText>();
  const guard = openness("memory record store", () => records.clear());
  let writes = 0;

  return {
    get: guard.wrap(async (key) => {
      const stored = records.get(key);
      return stored === undefined ? undefined : toRecord(key, stored);
    }),
    put: guard.wrap(async (key, value, expected) => {
      const text = toText(value);
      if ((records.get(key)?.version ?? null) !== expected) return undefined;
      writes += 1;
      const stored = { text, version: String(writes) };
      records.set(key, stored);
      return toRecord(key, stored);
    }),
    delete: guard.wrap(
      async (key, expected) => records.get(key)?.version === expected && records.delete(key),
    ),
    list: guard.wrap(async (prefix, cursor) => {
      const page = pageOfKeys(records.keys(), prefix, cursor);
      return { ...page, items: page.items.map((key) => toRecord(key, records.get(key) as StoredText)) };
    }),
    close: guard.close,
  };
}

/** Kept as text, so that nobody can change a stored document by its reference. */
function toText(value: JsonValue): string {
  const text = JSON.stringify(value);
  const sizeBytes = Buffer.byteLength(text, "utf8");
  if (sizeBytes <= MAX_VALUE_BYTES) return text;
  throw new GatewayError(
    "INVALID_REQUEST",
    `value has ${sizeBytes} bytes; at most ${MAX_VALUE_BYTES} are kept`,
    {
      details: { field: "value", sizeBytes },
    },
  );
}

function toRecord(key: string, { text, version }: StoredText): StoredRecord {
  return { key, value: JSON.parse(text) as JsonValue, version };
}
