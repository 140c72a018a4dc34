import assert from "node:assert/strict";
import type { ByteStream } from "../../contracts/common.ts";
import { settles } from "./waiting.ts";

export const KIB = 1024;
export const MIB: number = 1024 * 1024;

/** Bytes without a visible order, the same for the same seed; each of the 256 values is among the first 256. */
export function testBytes(sizeBytes: number, seed: number = 1): Uint8Array {
  const bytes = new Uint8Array(sizeBytes);
  let state = seed;
  for (let at = 0; at < sizeBytes; at += 1) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0;
    // The low bits of this sequence run through all their values; later rounds differ by the high ones.
    bytes[at] = at < 256 ? at ^ (seed & 255) : state >>> 24;
  }
  return bytes;
}

export function textBytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

/** A body of these pieces. */
export async function* bodyOf(...pieces: readonly (Uint8Array | string)[]): AsyncGenerator<Uint8Array> {
  for (const piece of pieces) yield typeof piece === "string" ? textBytes(piece) : piece;
}

/** `bytes` in pieces of these sizes, over and over. */
export async function* inPieces(bytes: Uint8Array, sizes: readonly number[]): AsyncGenerator<Uint8Array> {
  for (let at = 0, turn = 0; at < bytes.byteLength; turn += 1) {
    const size = sizes[turn % sizes.length] as number;
    yield bytes.slice(at, at + size);
    at += size;
  }
}

/** All of a body. Each piece is copied before the next is asked for. */
export async function readAll(body: ByteStream, what: string = "reading"): Promise<Uint8Array> {
  return await settles(
    what,
    (async () => {
      const pieces: Uint8Array[] = [];
      for await (const piece of body) pieces.push(piece.slice());
      return Buffer.concat(pieces);
    })(),
    30_000,
  );
}

/** Fails without printing the bytes, which may be many. */
export function assertBytes(actual: Uint8Array, expected: Uint8Array, what: string): void {
  if (Buffer.compare(actual, expected) === 0) return;
  const least = Math.min(actual.byteLength, expected.byteLength);
  let at = 0;
  while (at < least && actual[at] === expected[at]) at += 1;
  assert.fail(
    `${what}: ${actual.byteLength} bytes instead of ${expected.byteLength}, which differ from byte ${at} on`,
  );
}
