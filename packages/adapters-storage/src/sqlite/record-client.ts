import {
  GatewayError,
  type JsonValue,
  type OperationOptions,
  type Page,
  type RecordStore,
  type StoredRecord,
} from "@modelgate/core";
import { recordText, requireKey } from "../rows/record-text.ts";
import type { StoreClient } from "./store-client.ts";
import { type Operation, toStoredRecord, type WireRecord } from "./wire.ts";

/** Records in the same database. */
export class SqliteRecords implements RecordStore {
  readonly #client: StoreClient;
  readonly #onClose: () => Promise<void>;
  #isClosed = false;

  constructor(client: StoreClient, onClose: () => Promise<void>) {
    this.#client = client;
    this.#onClose = onClose;
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  async get(key: string, options?: OperationOptions): Promise<StoredRecord | undefined> {
    const record = await this.#call<WireRecord | null>(options, { op: "record-get", key: requireKey(key) });
    return record === null ? undefined : toStoredRecord(record);
  }

  async put(
    key: string,
    value: JsonValue,
    expected: string | null,
    options?: OperationOptions,
  ): Promise<StoredRecord | undefined> {
    const text = recordText(value);
    const call: Operation = { op: "record-put", key: requireKey(key), value: text, expected };
    const version = await this.#call<string | null>(options, call);
    return version === null ? undefined : toStoredRecord([key, text, version]);
  }

  async delete(key: string, expected: string, options?: OperationOptions): Promise<boolean> {
    return await this.#call<boolean>(options, { op: "record-delete", key: requireKey(key), expected });
  }

  async list(prefix: string, cursor?: string, options?: OperationOptions): Promise<Page<StoredRecord>> {
    const call: Operation = { op: "record-list", prefix: requireKey(prefix), after: cursor ?? "" };
    const [records, hasMore] = await this.#call<[WireRecord[], boolean]>(options, call);
    return { items: records.map(toStoredRecord), nextCursor: hasMore ? records.at(-1)?.[0] : undefined };
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    await this.#onClose();
  }

  async #call<T>(options: OperationOptions | undefined, operation: Operation): Promise<T> {
    if (this.#isClosed) throw new GatewayError("CLOSED", "the SQLite record store is closed");
    options?.signal?.throwIfAborted();
    return (await this.#client.call<T>(() => operation, options?.signal)).value;
  }
}
