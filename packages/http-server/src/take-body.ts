import type { ByteStream } from "@modelgate/core";

/** All of `chunks` when they have at most `wholeBytes`, else a stream of what was read and what is still to come. */
export async function takeBody(
  chunks: AsyncIterator<Uint8Array, unknown>,
  wholeBytes: number,
): Promise<Uint8Array | ByteStream> {
  const begun: Uint8Array[] = [];
  let sizeBytes = 0;
  while (sizeBytes <= wholeBytes) {
    const next = await chunks.next();
    if (next.done === true) return Buffer.concat(begun, sizeBytes);
    begun.push(next.value);
    sizeBytes += next.value.byteLength;
  }
  return withRest(begun, chunks);
}

/** No generator: one that is let go before it has begun would not let go of `chunks`. */
function withRest(
  begun: Uint8Array[],
  chunks: AsyncIterator<Uint8Array, unknown>,
): AsyncIterableIterator<Uint8Array, undefined> {
  const over = { done: true, value: undefined } as const;
  return {
    async next() {
      const first = begun.shift();
      if (first !== undefined) return { done: false, value: first };
      const next = await chunks.next();
      return next.done === true ? over : next;
    },
    async return() {
      begun.length = 0;
      await chunks.return?.();
      return over;
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}
