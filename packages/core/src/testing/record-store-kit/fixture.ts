import assert from "node:assert/strict";
import type { JsonValue, RecordStore, StoredRecord } from "../../contracts/record-store.ts";
import type { KitFixture, KitTest } from "../kit/kit.ts";
import type { LifecycleParts } from "../lifecycle-kit/lifecycle-kit.ts";

/** An empty record store, and what else of its backend the kit may use. */
export interface RecordStoreFixture extends KitFixture, LifecycleParts {
  readonly records: RecordStore;
  /** A further client of the same backend, as another process has it. Where several can share it. */
  readonly another?: (() => Promise<RecordStore>) | undefined;
  /** Closes `records` and opens the same backend once more, as after a restart. Where it is durable. */
  readonly reopen?: (() => Promise<RecordStore>) | undefined;
}

export type RecordStoreTest = KitTest<RecordStoreFixture>;

/** Writes a record that is not there yet. */
export async function create(records: RecordStore, key: string, value: JsonValue): Promise<StoredRecord> {
  const written = await records.put(key, value, null);
  assert.ok(written !== undefined, `put(${JSON.stringify(key)}, …, null) found a record that is not there`);
  return written;
}

export async function valueAt(records: RecordStore, key: string): Promise<JsonValue | undefined> {
  return (await records.get(key))?.value;
}

/** Every record below `prefix`, page by page. */
export async function allRecords(records: RecordStore, prefix: string = ""): Promise<StoredRecord[]> {
  const found: StoredRecord[] = [];
  let cursor: string | undefined;
  do {
    const page = await records.list(prefix, cursor);
    found.push(...page.items);
    cursor = page.nextCursor;
  } while (cursor !== undefined);
  return found;
}

export async function allKeys(records: RecordStore, prefix?: string): Promise<string[]> {
  return (await allRecords(records, prefix)).map(({ key }) => key);
}

/** Adds one to a number, as often as it takes until nobody else was first. */
export async function countUp(records: RecordStore, key: string): Promise<void> {
  for (;;) {
    const before = await records.get(key);
    const next = ((before?.value as number | undefined) ?? 0) + 1;
    if ((await records.put(key, next, before?.version ?? null)) !== undefined) return;
  }
}
