import type { ByteStream, Closable, OperationOptions, Page } from "./common.ts";

export interface ObjectStat {
  readonly key: string;
  readonly sizeBytes: number;
  readonly modifiedAtMs: number;
}

export interface ObjectRead extends ObjectStat {
  /** Read it to the end or `return()` it; either frees what it holds. */
  readonly body: ByteStream;
}

/** Both ends inclusive, counted in bytes from 0, as in HTTP. `end` may lie beyond the last byte. */
export interface ByteRange {
  readonly start: number;
  readonly end?: number | undefined;
}

/** Payloads and results as streams. A key is 1 to 512 characters of `[A-Za-z0-9_./-]`, without empty parts, `.` or `..`. */
export interface ObjectStore extends Closable {
  readonly capabilities: { readonly durable: boolean; readonly shared: boolean; readonly presign: boolean };
  /**
   * Stores all of `body` under `key`, or nothing: a body that throws leaves no object. Resolves once durable.
   * The same key again replaces it whole. Rejects `STORE_FULL`, `STORE_UNAVAILABLE`.
   */
  put(key: string, body: ByteStream, options?: OperationOptions): Promise<ObjectStat>;
  /** The object, or `undefined`. Rejects `INVALID_REQUEST` for a range that begins beyond its end. */
  get(
    key: string,
    options?: OperationOptions & { readonly range?: ByteRange | undefined },
  ): Promise<ObjectRead | undefined>;
  stat(key: string, options?: OperationOptions): Promise<ObjectStat | undefined>;
  /** Removes what is there; unknown keys are ignored. A reader that has begun reads to its end. */
  delete(keys: readonly string[], options?: OperationOptions): Promise<void>;
  /** Objects by key. */
  list(prefix: string, cursor?: string, options?: OperationOptions): Promise<Page<ObjectStat>>;
  /** An address that anybody may read until it expires. Rejects `UNSUPPORTED` unless `capabilities.presign`. */
  presign(key: string, expiresInMs: number, options?: OperationOptions): Promise<string>;
}
