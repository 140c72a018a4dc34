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

async function* withRest(
  begun: Uint8Array[],
  chunks: AsyncIterator<Uint8Array, unknown>,
): AsyncGenerator<Uint8Array, void, undefined> {
  try {
    yield* begun.splice(0);
    for (;;) {
      const next = await chunks.next();
      if (next.done === true) return;
      yield next.value;
    }
  } finally {
    await chunks.return?.();
  }
}
