import type { IncomingMessage } from "node:http";
import { GatewayError } from "@modelgate/core";
import { pause, type S3Connection } from "./connection.ts";
import type { Operation } from "./operation.ts";
import { mayPass, S3Refusal, S3Timeout, toStoreError } from "./s3-error.ts";

/** What is read of an object: bytes from `start` to before `end`. */
export interface BodySpan {
  readonly start: number;
  readonly end: number;
  /** What names this very content; without it a broken connection cannot be taken up again. */
  readonly etag: string | undefined;
}

/**
 * The bytes of an answer as they come, at the reader's pace. When the connection breaks, or the server gives up on a
 * reader that pauses, it goes on where it was with a new request for the rest of the same content. Each piece has memory
 * of its own.
 */
export class ObjectBody implements AsyncIterableIterator<Uint8Array> {
  readonly #connection: S3Connection;
  readonly #name: string;
  readonly #operation: Operation;
  readonly #span: BodySpan;
  #position: number;
  #response: IncomingMessage;
  readonly #arrived: Buffer[] = [];
  /** What the response ended with; `null` is its proper end. */
  #broken: { readonly error: Error | null } | undefined;
  #wake: (() => void) | undefined;
  #isOver = false;
  /** Interruptions since the last byte. */
  #failures = 0;

  constructor(
    connection: S3Connection,
    name: string,
    operation: Operation,
    response: IncomingMessage,
    span: BodySpan,
  ) {
    this.#connection = connection;
    this.#name = name;
    this.#operation = operation;
    this.#span = span;
    this.#position = span.start;
    this.#response = response;
    this.#listen(response);
    // Also for a body that nobody reads.
    operation.onEnd(() => {
      this.#finish();
      this.#wake?.();
    });
  }

  async next(): Promise<IteratorResult<Uint8Array>> {
    try {
      for (;;) {
        this.#operation.throwIfEnded();
        const piece = this.#isOver ? undefined : this.#arrived.shift();
        if (piece !== undefined) {
          this.#position += piece.byteLength;
          this.#failures = 0;
          return { done: false, value: piece };
        }
        if (this.#isOver || this.#position >= this.#span.end) break;
        if (this.#broken === undefined) await this.#more();
        else await this.#resume(this.#broken.error ?? new S3Timeout("the server sent less than it said"));
      }
    } catch (error) {
      this.#finish();
      throw this.#operation.isEnded ? error : toStoreError(error, "read");
    }
    this.#finish();
    return { done: true, value: undefined };
  }

  async return(): Promise<IteratorResult<Uint8Array>> {
    this.#finish();
    return { done: true, value: undefined };
  }

  // A plain generator would not do: its `return()` before the first `next()` skips `finally` and keeps the connection.
  [Symbol.asyncIterator](): this {
    return this;
  }

  /** Waits until something has come or the response is over. The reader's own pauses count as nothing. */
  async #more(): Promise<void> {
    const { requestTimeoutMs } = this.#connection.settings;
    const response = this.#response;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(() => {
        response.destroy(new S3Timeout(`the server did nothing for ${requestTimeoutMs} ms`));
      }, requestTimeoutMs);
      this.#wake = () => {
        this.#wake = undefined;
        clearTimeout(timer);
        resolve();
      };
      response.resume();
    });
  }

  #listen(response: IncomingMessage): void {
    // The request's own limit would also count while the reader pauses.
    response.socket?.setTimeout(0);
    const over = (error: Error | null): void => {
      if (response !== this.#response || this.#broken !== undefined) return;
      this.#broken = { error };
      this.#wake?.();
    };
    response.on("data", (piece: Buffer) => {
      if (response !== this.#response) return;
      response.pause();
      this.#arrived.push(piece);
      this.#wake?.();
    });
    response.on("end", () => over(null));
    response.on("error", (error) => over(error));
    response.on("close", () => over(new S3Timeout("the connection was closed")));
    response.pause();
  }

  /** Asks for the rest, of the same content or not at all. */
  async #resume(cause: Error): Promise<void> {
    const { etag, end } = this.#span;
    if (etag === undefined || this.#failures > this.#connection.settings.retries) throw cause;
    if (!mayPass(cause)) throw cause;
    if (this.#failures > 0) await pause(this.#failures, this.#operation);
    this.#failures += 1;
    const range = `bytes=${this.#position}-${end - 1}`;
    const request = { method: "GET", object: this.#name, headers: { range, "if-match": etag } } as const;
    let response: IncomingMessage;
    try {
      response = await this.#connection.open(request, this.#operation);
    } catch (error) {
      throw isGone(error) ? changed(error) : error;
    }
    if (!(response.headers["content-range"] ?? "").startsWith(`bytes ${this.#position}-${end - 1}/`)) {
      response.destroy();
      throw changed(cause);
    }
    this.#broken = undefined;
    this.#response = response;
    this.#listen(response);
  }

  #finish(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#arrived.length = 0;
    // At its end the connection is given back; before that, the rest would have to be read.
    if (this.#position >= this.#span.end) this.#response.resume();
    else this.#response.destroy();
    this.#operation.finish();
  }
}

function isGone(error: unknown): boolean {
  return error instanceof S3Refusal && (error.status === 412 || error.code === "NoSuchKey");
}

function changed(cause: unknown): GatewayError {
  return new GatewayError(
    "STORE_UNAVAILABLE",
    "the connection broke while an object was read, and the object has been replaced or deleted since",
    { cause },
  );
}
