import type { Clock } from "../contracts/clock.ts";
import { GatewayError } from "../errors.ts";

/** More than this waits in the socket, not in memory. */
const MAX_BUFFERED_BYTES = 64 * 1024;
/** A rest of this size is received and dropped, so that the connection can be used again. */
const MAX_DISCARDED_BYTES = 64 * 1024;
const DISCARD_LIMIT_MS = 1000;

/** The connection that a body comes from. */
export interface BodySource {
  pause(): void;
  resume(): void;
  /** Closes the connection. */
  abort(): void;
}

/** How a body is read. */
export interface BodyReading {
  /** Longest wait for the next piece, once somebody wants it; then it fails with `SERVER_TIMEOUT`. Default: none. */
  readonly idleTimeoutMs?: number | undefined;
  /** Whether a small rest that nobody wants is received, to keep the connection. Default `true`. */
  readonly receivesRest?: boolean | undefined;
}

/**
 * An answer's body: read once, with the reader's pace passed on to the server. A small one that nobody reads is
 * received whole and holds no connection; a larger one holds its connection until it is read, returned or aborted.
 */
export class AnswerBody implements AsyncIterableIterator<Uint8Array> {
  readonly #source: BodySource;
  readonly #clock: Clock;
  readonly #sizeBytes: number | undefined;
  readonly #reading: BodyReading;
  readonly #chunks: Uint8Array[] = [];
  #bufferedBytes = 0;
  #receivedBytes = 0;
  #paused = false;
  #state: "open" | "complete" | "failed" | "discarding" | "returned" = "open";
  #failure: unknown;
  #wake: (() => void) | undefined;
  #stopDiscarding: (() => void) | undefined;

  constructor(
    source: BodySource,
    clock: Clock,
    sizeBytes: number | undefined,
    reading: BodyReading | undefined = {},
  ) {
    this.#reading = reading;
    this.#source = source;
    this.#clock = clock;
    this.#sizeBytes = sizeBytes;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async next(): Promise<IteratorResult<Uint8Array, undefined>> {
    for (;;) {
      const chunk = this.#chunks.shift();
      if (chunk !== undefined) {
        this.#bufferedBytes -= chunk.byteLength;
        this.#resumeBelowBound();
        return { done: false, value: chunk };
      }
      if (this.#state === "failed") {
        this.#state = "returned";
        throw this.#failure;
      }
      if (this.#state !== "open") return { done: true, value: undefined };
      await this.#more();
    }
  }

  async return(): Promise<IteratorResult<Uint8Array, undefined>> {
    this.#drop();
    if (this.#state === "open") {
      if (this.#isNearlyComplete()) this.#discard();
      else this.#source.abort();
    }
    if (this.#state !== "discarding") this.#state = "returned";
    this.#notify();
    return { done: true, value: undefined };
  }

  /** A piece arrived. */
  receive(chunk: Uint8Array): void {
    this.#receivedBytes += chunk.byteLength;
    if (this.#state === "discarding" && this.#receivedBytes > MAX_DISCARDED_BYTES * 2) this.#source.abort();
    if (this.#state !== "open") return;
    this.#chunks.push(chunk);
    this.#bufferedBytes += chunk.byteLength;
    if (this.#bufferedBytes > MAX_BUFFERED_BYTES && !this.#paused) {
      this.#paused = true;
      this.#source.pause();
    }
    this.#notify();
  }

  /** The last piece has arrived. */
  complete(): void {
    this.#stopDiscarding?.();
    this.#state = this.#state === "open" ? "complete" : "returned";
    this.#notify();
  }

  /** No more will come. What has arrived can still be read, unless the reader's own `abort` was the reason. */
  fail(failure: unknown, options: { readonly drop: boolean }): void {
    this.#stopDiscarding?.();
    if (this.#state !== "open") return;
    if (options.drop) this.#drop();
    this.#state = "failed";
    this.#failure = failure;
    this.#notify();
  }

  async #more(): Promise<void> {
    const { idleTimeoutMs } = this.#reading;
    const cancel =
      idleTimeoutMs === undefined ? undefined : this.#clock.after(idleTimeoutMs, () => this.#giveUp());
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
    });
    cancel?.();
  }

  #giveUp(): void {
    this.fail(new GatewayError("SERVER_TIMEOUT", "the server fell silent in the middle of its answer"), {
      drop: false,
    });
    this.#source.abort();
  }

  #isNearlyComplete(): boolean {
    if (this.#reading.receivesRest === false) return false;
    return this.#sizeBytes !== undefined && this.#sizeBytes - this.#receivedBytes <= MAX_DISCARDED_BYTES;
  }

  #discard(): void {
    this.#state = "discarding";
    this.#stopDiscarding = this.#clock.after(DISCARD_LIMIT_MS, () => this.#source.abort());
    this.#resumeBelowBound();
  }

  #drop(): void {
    this.#chunks.length = 0;
    this.#bufferedBytes = 0;
  }

  #resumeBelowBound(): void {
    if (!this.#paused || this.#bufferedBytes > MAX_BUFFERED_BYTES / 2) return;
    this.#paused = false;
    this.#source.resume();
  }

  #notify(): void {
    const wake = this.#wake;
    this.#wake = undefined;
    wake?.();
  }
}

/** What a body throws that broke off. The vendor's error is not kept: some of them quote the answer. */
export function brokeOff(reason: string): GatewayError {
  return new GatewayError("SERVER_BROKE_OFF", "the server broke off in the middle of its answer", {
    details: { reason },
  });
}
