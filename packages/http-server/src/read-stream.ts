import type { ByteStream } from "@modelgate/core";

/** All of a stream as text, or `undefined` when it is longer than `maxBytes`. */
export async function readText(stream: ByteStream, maxBytes: number): Promise<string | undefined> {
  const chunks: Uint8Array[] = [];
  let sizeBytes = 0;
  for await (const chunk of stream) {
    sizeBytes += chunk.byteLength;
    if (sizeBytes > maxBytes) return undefined;
    chunks.push(chunk);
  }
  return new TextDecoder().decode(Buffer.concat(chunks));
}

/** Lets go of a stream that nobody will read. */
export async function discard(stream: ByteStream): Promise<void> {
  await stream[Symbol.asyncIterator]().return?.();
}
