/** Options that every asynchronous method of every contract takes last. */
export interface OperationOptions {
  /**
   * Stops the wait. The method rejects with `signal.reason`, untouched. Unless a method says otherwise, work that
   * has already reached the backend may still take effect: an aborted write is a write whose reply was lost.
   */
  readonly signal?: AbortSignal | undefined;
}

/** Bytes that arrive in pieces. Node's `Readable`, web `ReadableStream` and `async function*` all fit. */
export type ByteStream = AsyncIterable<Uint8Array>;

/** One page of a listing in a stable order. */
export interface Page<T> {
  readonly items: readonly T[];
  /** Hand it back to get the next page; absent on the last one. Opaque. */
  readonly nextCursor?: string | undefined;
}

/** What holds connections, files or timers. */
export interface Closable {
  /** Releases what this object opened itself; idempotent. Afterwards every other method rejects with `CLOSED`. */
  close(): Promise<void>;
}
