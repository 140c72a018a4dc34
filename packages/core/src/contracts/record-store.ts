import type { Closable, OperationOptions, Page } from "./common.ts";

/** What a record may hold. */
export type JsonValue =
  | null
  | boolean
  | number
  | string
  | readonly JsonValue[]
  | { readonly [key: string]: JsonValue };

/** A small document and its version. */
export interface StoredRecord {
  readonly key: string;
  readonly value: JsonValue;
  /** Changes with every write; compare only for equality. */
  readonly version: string;
}

/**
 * Small documents with compare-and-set: configurations, keys, usage, the installation's id. A key is any text up to
 * 512 characters; one with a NUL or a lone surrogate may be refused with `INVALID_REQUEST`. Values have up to 256 KiB
 * as JSON, and are copied on their way in and out. A version never comes again, not after a delete either.
 */
export interface RecordStore extends Closable {
  /** The record, or `undefined`. */
  get(key: string, options?: OperationOptions): Promise<StoredRecord | undefined>;
  /**
   * Writes if the record still has `expected` as its version; `null` means that there is none yet. Resolves the new
   * record, or `undefined` when somebody else was first. Rejects `INVALID_REQUEST` for a value that is too large.
   */
  put(
    key: string,
    value: JsonValue,
    expected: string | null,
    options?: OperationOptions,
  ): Promise<StoredRecord | undefined>;
  /** Removes if it still has that version; resolves whether it did. */
  delete(key: string, expected: string, options?: OperationOptions): Promise<boolean>;
  /** Records whose key begins with `prefix`, in an order of keys that stays the same. */
  list(prefix: string, cursor?: string, options?: OperationOptions): Promise<Page<StoredRecord>>;
}
