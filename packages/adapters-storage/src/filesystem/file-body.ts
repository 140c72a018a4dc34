import type { FileHandle } from "node:fs/promises";
import { atFiles } from "./file-error.ts";

const CHUNK_BYTES = 64 * 1024;

/** The bytes from `start` to before `end` of an open file, which it closes at the end or when returned. */
export function fileBody(
  file: FileHandle,
  start: number,
  end: number,
  signal: AbortSignal | undefined,
): AsyncIterableIterator<Uint8Array> {
  let position = start;
  let isDone = false;
  const finish = async (): Promise<void> => {
    if (isDone) return;
    isDone = true;
    await file.close();
  };
  return {
    async next() {
      if (isDone) return { done: true, value: undefined };
      try {
        signal?.throwIfAborted();
        if (position < end) {
          const chunk = new Uint8Array(Math.min(CHUNK_BYTES, end - position));
          const { bytesRead } = await atFiles(() => file.read(chunk, 0, chunk.length, position));
          position += bytesRead;
          if (bytesRead > 0) return { done: false, value: chunk.subarray(0, bytesRead) };
        }
      } catch (error) {
        await finish();
        throw error;
      }
      await finish();
      return { done: true, value: undefined };
    },
    async return() {
      await finish();
      return { done: true, value: undefined };
    },
    // A plain generator would not do: its `return()` before the first `next()` skips `finally` and leaks the file.
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}
