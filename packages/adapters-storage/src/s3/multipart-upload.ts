import { type Hash, randomUUID } from "node:crypto";
import { GatewayError } from "@modelgate/core";
import type { S3Answer, S3Connection } from "./connection.ts";
import { Operation } from "./operation.ts";
import { PartBuffer } from "./part-buffer.ts";
import { mayPass, NO_UPLOAD, S3Refusal } from "./s3-error.ts";
import { contentsOf, escapeXml, textOf } from "./xml.ts";

/** S3's own bound. */
const MOST_PARTS = 10_000;
/** Marks an object as that of one upload, for when the answer to its completion is lost. */
const MARK = "x-amz-meta-modelgate-upload";
/** How long what was begun is cleared away; what is left after that is for `sweepS3Uploads`. */
const CLEARING_MS = 10_000;

/** A body too large for one request. Parts go as they fill, several at once; the object appears when it is completed. */
export class MultipartUpload {
  readonly #connection: S3Connection;
  readonly #name: string;
  readonly #operation: Operation;
  readonly #newHash: () => Hash;
  readonly #mark = randomUUID();
  /** For what must go on when the upload ends before its time. */
  readonly #clearing = new Operation(new Set(), undefined);
  readonly #etags: string[] = [];
  readonly #onTheWay = new Set<Promise<void>>();
  readonly #free: PartBuffer[] = [];
  #beginning: Promise<string> | undefined;
  #sizeBytes = 0;

  constructor(connection: S3Connection, name: string, operation: Operation, newHash: () => Hash) {
    this.#connection = connection;
    this.#name = name;
    this.#operation = operation;
    this.#newHash = newHash;
  }

  get isBegun(): boolean {
    return this.#beginning !== undefined;
  }

  /** An empty part, once there is room for one. */
  newPart(): PartBuffer {
    return this.#free.pop() ?? new PartBuffer(this.#connection.settings.partSizeBytes, this.#newHash);
  }

  /** Sends a part as soon as fewer than so many are on their way. Of one that fails the operation ends. */
  async add(part: PartBuffer): Promise<void> {
    const { uploadConcurrency, partSizeBytes } = this.#connection.settings;
    const uploadId = await this.#begin();
    if (this.#etags.length === MOST_PARTS) {
      const maxBytes = MOST_PARTS * partSizeBytes;
      throw new GatewayError(
        "PAYLOAD_TOO_LARGE",
        `an object has at most ${MOST_PARTS} parts, which makes ${maxBytes} bytes; raise partSizeBytes`,
        { details: { field: "partSizeBytes", maxBytes } },
      );
    }
    while (this.#onTheWay.size >= uploadConcurrency) await Promise.race(this.#onTheWay);
    this.#operation.throwIfEnded();
    const index = this.#etags.push("") - 1;
    this.#sizeBytes += part.sizeBytes;
    const sending = this.#send(uploadId, part, index).catch((error: unknown) => this.#operation.end(error));
    const settled = sending.finally(() => this.#onTheWay.delete(settled));
    this.#onTheWay.add(settled);
  }

  /** Puts the parts together. Resolves the answer and the size of all. */
  async complete(): Promise<{ readonly answer: S3Answer; readonly sizeBytes: number }> {
    await Promise.all(this.#onTheWay);
    this.#operation.throwIfEnded();
    const uploadId = await this.#begin();
    const body = await this.#connection.bodyOf(
      `<CompleteMultipartUpload xmlns="http://s3.amazonaws.com/doc/2006-03-01/">${this.#etags
        .map((etag, at) => `<Part><PartNumber>${at + 1}</PartNumber><ETag>${escapeXml(etag)}</ETag></Part>`)
        .join("")}</CompleteMultipartUpload>`,
    );
    const request = { method: "POST", object: this.#name, query: idQuery(uploadId), body } as const;
    let isAmbiguous = false;
    try {
      const answer = await this.#connection.call(request, this.#operation, () => {
        isAmbiguous = true;
      });
      if (contentsOf(answer.text, "CompleteMultipartUploadResult").length === 0) {
        throw unknownAnswer("the completion of an upload");
      }
      return { answer, sizeBytes: this.#sizeBytes };
    } catch (error) {
      this.#operation.throwIfEnded();
      // It may have been done, and only the answer have been lost. Asked again, Ceph and AWS tell so, MinIO does not.
      const mayBeDone = mayPass(error) || (isAmbiguous && isNoSuchUpload(error));
      if (!mayBeDone) throw error;
      return { answer: await this.#requireMark(error), sizeBytes: this.#sizeBytes };
    }
  }

  /** Has the server forget the parts. Never rejects; call it once the operation has ended or failed. */
  async abandon(): Promise<void> {
    if (this.#beginning === undefined) return;
    const timer = setTimeout(() => this.#clearing.end(new Error("it took too long")), CLEARING_MS);
    try {
      this.#operation.end(new Error("the upload was given up"));
      await Promise.all(this.#onTheWay);
      const query = idQuery(await this.#beginning);
      const request = { method: "DELETE", object: this.#name, query } as const;
      await this.#connection.call(request, this.#clearing);
    } catch {
      // Whatever stood against it, it stays for the sweep.
    } finally {
      clearTimeout(timer);
      this.#clearing.finish();
    }
  }

  async #begin(): Promise<string> {
    // Not cut off with the operation: of an upload that the server has begun the id must be known, to end it.
    this.#beginning ??= this.#initiate();
    const beginning = this.#beginning;
    return await this.#operation.race(() => beginning);
  }

  async #initiate(): Promise<string> {
    const headers = {
      "content-type": "application/octet-stream",
      [MARK]: this.#mark,
      ...this.#connection.settings.encryption,
    };
    const request = { method: "POST", object: this.#name, query: "uploads", headers } as const;
    const { text } = await this.#connection.call(request, this.#clearing);
    const uploadId = textOf(text, "UploadId");
    if (uploadId === undefined || uploadId === "") throw unknownAnswer("the beginning of an upload");
    return uploadId;
  }

  async #send(uploadId: string, part: PartBuffer, index: number): Promise<void> {
    const query = `partNumber=${index + 1}&${idQuery(uploadId)}`;
    const request = { method: "PUT", object: this.#name, query, body: part } as const;
    const { headers } = await this.#connection.call(request, this.#operation);
    if (headers.etag === undefined) throw unknownAnswer("a part");
    this.#etags[index] = headers.etag;
    part.reset();
    this.#free.push(part);
  }

  /** Throws unless the object that is there is that of this upload. */
  async #requireMark(cause: unknown): Promise<S3Answer> {
    const request = { method: "HEAD", object: this.#name } as const;
    const found = await this.#connection.call(request, this.#operation).catch(() => undefined);
    this.#operation.throwIfEnded();
    if (found?.headers[MARK] === this.#mark) return found;
    throw cause;
  }
}

function idQuery(uploadId: string): string {
  return `uploadId=${encodeURIComponent(uploadId)}`;
}

function isNoSuchUpload(error: unknown): boolean {
  return error instanceof S3Refusal && error.code === NO_UPLOAD;
}

function unknownAnswer(what: string): GatewayError {
  return new GatewayError("ADAPTER_FAILED", `the server's answer to ${what} cannot be understood`);
}
