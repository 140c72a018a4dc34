import { type FileHandle, open, rm } from "node:fs/promises";
import type { ByteStream } from "@modelgate/core";
import { atDisk } from "./disk-errors.ts";

const PIECE_BYTES = 256 * 1024;

/** The caller's signal, if there is one, and the store's own, which tells that it is closed. */
export type Signals = readonly AbortSignal[];

/** Writes all of a body to a new file, durably, or leaves no file. Resolves its size. */
export async function writeBody(path: string, body: ByteStream, signals: Signals): Promise<number> {
  const file = await atDisk(() => open(path, "wx", 0o600));
  const iterator = body[Symbol.asyncIterator]();
  let sizeBytes = 0;
  try {
    for (;;) {
      const next = await unlessAborted(iterator.next(), signals);
      if (next.done === true) break;
      // Written before the next piece is asked for: the source may use its buffer again.
      await atDisk(() => file.writeFile(next.value));
      sizeBytes += next.value.byteLength;
    }
    await atDisk(() => file.sync());
    throwIfAborted(signals);
    await file.close();
    return sizeBytes;
  } catch (error) {
    // Not awaited: a source that hangs in `next` may hang in `return` as well.
    void Promise.resolve(iterator.return?.()).catch(() => {});
    await file.close().catch(() => {});
    await rm(path, { force: true });
    throw error;
  }
}

/** The bytes from `start` to before `end`. The file is closed at the end, by `return()`, and after an abort. */
export function readBody(
  file: FileHandle,
  range: { readonly start: number; readonly end: number },
  signals: Signals,
): AsyncIterableIterator<Uint8Array> {
  let at = range.start;
  let closed: Promise<void> | undefined;
  const close = (): Promise<void> => {
    for (const signal of signals) signal.removeEventListener("abort", onAbort);
    closed ??= file.close();
    return closed;
  };
  const onAbort = (): void => void close().catch(() => {});
  for (const signal of signals) signal.addEventListener("abort", onAbort);
  return {
    async next() {
      throwIfAborted(signals);
      if (closed === undefined && at < range.end) {
        const piece = new Uint8Array(Math.min(PIECE_BYTES, range.end - at));
        const { bytesRead } = await atDisk(() => file.read(piece, 0, piece.byteLength, at));
        throwIfAborted(signals);
        at += bytesRead;
        if (bytesRead > 0) return { done: false, value: piece.subarray(0, bytesRead) };
      }
      await close();
      return { done: true, value: undefined };
    },
    async return() {
      await close();
      return { done: true, value: undefined };
    },
    // Not a generator: its `return()` before the first `next()` would run no `finally` and leave the file open.
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}

export function throwIfAborted(signals: Signals): void {
  for (const signal of signals) signal.throwIfAborted();
}

/** What `work` settles with, or the reason of the first signal that aborts: a source that has stalled ends nothing. */
async function unlessAborted<T>(work: Promise<T>, signals: Signals): Promise<T> {
  throwIfAborted(signals);
  let onAbort = (_event: Event): void => {};
  const aborted = new Promise<never>((_resolve, reject) => {
    onAbort = ({ target }) => reject((target as AbortSignal).reason);
  });
  for (const signal of signals) signal.addEventListener("abort", onAbort);
  try {
    return await Promise.race([work, aborted]);
  } finally {
    for (const signal of signals) signal.removeEventListener("abort", onAbort);
  }
}
