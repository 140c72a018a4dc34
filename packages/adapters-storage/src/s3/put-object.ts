import type { ByteStream } from "@modelgate/core";
import { GatewayError } from "@modelgate/core";
import type { S3Answer, S3Connection } from "./connection.ts";
import { MultipartUpload } from "./multipart-upload.ts";
import { Operation } from "./operation.ts";
import type { S3Settings } from "./options.ts";
import type { PartBuffer } from "./part-buffer.ts";
import { isAboutEncryption, toStoreError } from "./s3-error.ts";

export interface PutObject {
  readonly connection: S3Connection;
  readonly name: string;
  readonly operation: Operation;
  /** Is given what clears away an upload that came to nothing. */
  readonly onClearing: (clearing: Promise<void>) => void;
}

/** Stores all of `body`, in one request if it fits into one. What the body throws is thrown on as it is. */
export async function putObject(
  body: ByteStream,
  { connection, name, operation: caller, onClearing }: PutObject,
): Promise<{ readonly sizeBytes: number; readonly modifiedAtMs: number }> {
  // Ends with the caller's, and also when a part fails.
  const operation = new Operation(new Set(), undefined);
  caller.onEnd((reason) => operation.end(reason));
  const source = new Source(body, operation);
  let upload: MultipartUpload | undefined;
  try {
    const newHash = await operation.race(() => connection.newHash());
    upload = new MultipartUpload(connection, name, operation, newHash);
    const last = await read(source, upload);
    if (!upload.isBegun) return { sizeBytes: last.sizeBytes, ...timeOf(await putWhole(last)) };
    await upload.add(last);
    const { answer, sizeBytes } = await upload.complete();
    return { sizeBytes, ...timeOf(answer) };
  } catch (error) {
    const isStopped = caller.isEnded;
    source.release();
    if (upload?.isBegun === true) {
      const clearing = upload.abandon();
      onClearing(clearing);
      // Who has stopped it does not wait; who is told of a failure finds nothing left of it.
      if (!isStopped) await clearing;
    }
    throw isStopped || source.hasThrown(error) ? error : toPutError(error, connection.settings);
  }

  function putWhole(whole: PartBuffer): Promise<S3Answer> {
    const headers = { "content-type": "application/octet-stream", ...connection.settings.encryption };
    return connection.call({ method: "PUT", object: name, headers, body: whole }, operation);
  }
}

/** A server that cannot encrypt as it was told says so in a way of its own. */
export function toPutError(error: unknown, { encryption }: S3Settings): unknown {
  if (Object.keys(encryption).length === 0 || !isAboutEncryption(error)) return toStoreError(error, "write");
  return new GatewayError("INVALID_OPTIONS", "the server refuses this encryption; check encryption", {
    cause: error,
    details: { field: "encryption" },
  });
}

/** Sends every part that is full and not the last; resolves the last, or all of a small body. */
async function read(source: Source, upload: MultipartUpload): Promise<PartBuffer> {
  let part = upload.newPart();
  for (;;) {
    const piece = await source.next();
    if (piece === undefined) return part;
    for (let at = 0; at < piece.byteLength; ) {
      if (part.isFull) {
        await upload.add(part);
        part = upload.newPart();
      }
      at += part.add(piece.subarray(at));
    }
  }
}

/** A body that is asked for one piece at a time, and whose errors can be told from those of the server. */
class Source {
  readonly #iterator: AsyncIterator<Uint8Array>;
  readonly #operation: Operation;
  #thrown: { readonly error: unknown } | undefined;
  #isOver = false;

  constructor(body: ByteStream, operation: Operation) {
    this.#iterator = body[Symbol.asyncIterator]();
    this.#operation = operation;
  }

  /** Does not wait for a source that has stalled once the operation ends. */
  async next(): Promise<Uint8Array | undefined> {
    const { done, value } = await this.#operation.race(() => this.#next());
    if (done === true) return undefined;
    if (value instanceof Uint8Array) return value;
    throw new GatewayError("INVALID_REQUEST", "body must give pieces of bytes (Uint8Array)", {
      details: { field: "body" },
    });
  }

  hasThrown(error: unknown): boolean {
    return this.#thrown !== undefined && this.#thrown.error === error;
  }

  /** Lets go of what was not read. */
  release(): void {
    // Not awaited: a generator that hangs in `next` queues its `return` behind it.
    if (!this.#isOver) void Promise.resolve(this.#iterator.return?.()).catch(() => {});
    this.#isOver = true;
  }

  async #next(): Promise<IteratorResult<Uint8Array>> {
    try {
      const result = await this.#iterator.next();
      if (result.done === true) this.#isOver = true;
      return result;
    } catch (error) {
      this.#thrown = { error };
      throw error;
    }
  }
}

function timeOf({ headers }: S3Answer): { readonly modifiedAtMs: number } {
  const atMs = Date.parse(headers.date ?? "");
  return { modifiedAtMs: Number.isNaN(atMs) ? Date.now() : atMs };
}
