import type { ByteStream, OperationOptions } from "../contracts/common.ts";
import type { ObjectStore } from "../contracts/object-store.ts";
import type { BodyRef } from "../contracts/task.ts";

/** Where a body went: with the ledger, or under its key. */
export type StoredBody = Pick<BodyRef, "sizeBytes" | "key" | "inline">;

export interface StoreBodyOptions {
  readonly objects: ObjectStore;
  /** Where it goes when it is larger than `inlineBytes`. */
  readonly key: string;
  readonly inlineBytes: number;
  /** Throws from within the stream once more than this has come. */
  readonly tooLarge?: { readonly maxBytes: number; readonly error: () => Error } | undefined;
  /** For the store. */
  readonly operation?: OperationOptions | undefined;
}

/**
 * Keeps a body up to `inlineBytes` in memory for the ledger and streams a larger one to the object store. Never more
 * than the inline size and one chunk is held.
 */
export async function storeBody(body: ByteStream, options: StoreBodyOptions): Promise<StoredBody> {
  const { objects, key, inlineBytes, tooLarge, operation } = options;
  const iterator = body[Symbol.asyncIterator]();
  const head: Uint8Array[] = [];
  let sizeBytes = 0;
  const checkSize = (): void => {
    if (tooLarge !== undefined && sizeBytes > tooLarge.maxBytes) throw tooLarge.error();
  };
  try {
    for (;;) {
      const { done, value } = await iterator.next();
      if (done) return { sizeBytes, inline: join(head, sizeBytes) };
      sizeBytes += value.byteLength;
      checkSize();
      head.push(value);
      if (sizeBytes > inlineBytes) break;
    }
    const counted = count(head, iterator, (bytes) => {
      sizeBytes += bytes;
      checkSize();
    });
    const stat = await objects.put(key, counted, operation);
    return { sizeBytes: stat.sizeBytes, key };
  } catch (error) {
    await iterator.return?.().catch(() => {});
    throw error;
  }
}

async function* count(
  head: readonly Uint8Array[],
  rest: AsyncIterator<Uint8Array>,
  counted: (bytes: number) => void,
): AsyncGenerator<Uint8Array> {
  yield* head;
  for (;;) {
    const { done, value } = await rest.next();
    if (done) return;
    counted(value.byteLength);
    yield value;
  }
}

function join(chunks: readonly Uint8Array[], sizeBytes: number): Uint8Array {
  const [only] = chunks;
  if (chunks.length === 1 && only !== undefined) return only;
  const joined = new Uint8Array(sizeBytes);
  let at = 0;
  for (const chunk of chunks) {
    joined.set(chunk, at);
    at += chunk.byteLength;
  }
  return joined;
}

/** Bytes that are at hand, as a stream. */
export async function* streamOf(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  if (bytes.byteLength > 0) yield bytes;
}

/** Frees what an unread body holds. */
export function discardBody(body: Uint8Array | ByteStream): void {
  if (body instanceof Uint8Array) return;
  body[Symbol.asyncIterator]()
    .return?.()
    .catch(() => {});
}
