import type { FileHandle } from "node:fs/promises";
import { GatewayError } from "@modelgate/core";
import type { Ending } from "./ending.ts";
import { atFiles } from "./file-error.ts";

const PIECE_BYTES = 256 * 1024;

/**
 * The bytes from `start` to before `end` of an open file. It closes the file at the end, when returned, and at once
 * when `ending` ends. Each piece has memory of its own, so that a reader may keep it.
 */
export function fileBody(
  file: FileHandle,
  start: number,
  end: number,
  ending: Ending,
): AsyncIterableIterator<Uint8Array> {
  let position = start;
  let closing: Promise<void> | undefined;
  // A close waits for the read that is under way.
  const finish = (): Promise<void> => {
    closing ??= file.close().finally(() => ending.finish());
    return closing;
  };
  ending.onEnd = () => void finish().catch(() => {});
  return {
    async next() {
      ending.throwIfEnded();
      if (closing !== undefined) return { done: true, value: undefined };
      try {
        if (position < end) {
          const piece = new Uint8Array(Math.min(PIECE_BYTES, end - position));
          const { bytesRead } = await atFiles(() => file.read(piece, 0, piece.length, position));
          ending.throwIfEnded();
          if (bytesRead === 0) throw cutShort();
          position += bytesRead;
          return { done: false, value: piece.subarray(0, bytesRead) };
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

/** Objects never change in place, so somebody else did this. */
function cutShort(): GatewayError {
  return new GatewayError("STORE_UNAVAILABLE", "the object's file became shorter while it was read");
}
