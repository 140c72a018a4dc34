import type { Dispatcher } from "undici";
import type { Clock } from "../contracts/clock.ts";
import type { ByteStream } from "../contracts/common.ts";
import { GatewayError } from "../errors.ts";
import type { AbortSource } from "../late-abort.ts";
import { announcedSize } from "./announced-size.ts";
import { AnswerBody, type BodyReading, brokeOff } from "./answer-body.ts";
import type { PayloadStream } from "./payload-stream.ts";

const NONSENSE = ["UND_ERR_HEADERS_OVERFLOW", "UND_ERR_RES_CONTENT_LENGTH_MISMATCH"];

/** One request to a server. */
export interface ExchangeRequest {
  readonly origin: string;
  /** Path and query as they stand in the request line. */
  readonly target: string;
  readonly method: string;
  /** By name, or name and value by turns where one may come again. */
  readonly headers: Readonly<Record<string, string>> | readonly string[];
  readonly payload?: Uint8Array | ByteStream | undefined;
  /** How long a payload stream is. A finite one is announced as `content-length`. */
  readonly sizeBytes?: number | undefined;
  /** Whether a payload stream of which nothing was sent is left as it is, for another try elsewhere. */
  readonly keepsUnsent?: boolean | undefined;
  /** How the body of the answer is read. */
  readonly reading?: BodyReading | undefined;
  /**
   * Whether to open a connection for this request alone. A kept connection may be one that the server closes at
   * this very moment, which looks like a reset after the send.
   */
  readonly ownConnection: boolean;
  /** Until the answer's headers. */
  readonly timeoutMs: number;
  readonly abort?: AbortSource | undefined;
  /** Called on a connection that is there, right before the request line is written. */
  readonly onSend?: (() => void) | undefined;
}

/**
 * - `answered`: status and headers are there, the body follows.
 * - `unsent`: no byte of it can have left.
 * - `broken`: it may have arrived, and no usable answer came.
 */
export type ExchangeResult =
  | {
      readonly kind: "answered";
      readonly status: number;
      readonly headers: Readonly<Record<string, string | string[] | undefined>>;
      /** Names and values by turns, as they came. */
      readonly rawHeaders: readonly (string | Uint8Array)[];
      readonly body: AnswerBody;
    }
  | { readonly kind: "unsent" }
  | { readonly kind: "broken"; readonly reason: "reset" | "timeout" | "bad_gateway" };

/**
 * Follows one request through the client. It settles its promise once: with a result, or with what was not the
 * server's doing (an abort, a payload that cannot be read, `onSend` throwing, a closed transport).
 */
export class Exchange implements Dispatcher.DispatchHandler {
  readonly result: Promise<ExchangeResult>;
  readonly #request: ExchangeRequest;
  readonly #payload: PayloadStream | undefined;
  readonly #clock: Clock;
  readonly #onEnd: (exchange: Exchange) => void;
  #resolve: (result: ExchangeResult) => void = () => {};
  #reject: (reason: unknown) => void = () => {};
  #controller: Dispatcher.DispatchController | undefined;
  #body: AnswerBody | undefined;
  #isSent = false;
  /** It was told that nothing has left. */
  #isUnsent = false;
  #isEnded = false;
  /** What ends it, when we do. */
  #ending: { readonly reason: unknown } | undefined;
  readonly #cancelTimer: () => void;
  readonly #stopListening: (() => void) | undefined;

  constructor(
    request: ExchangeRequest,
    payload: PayloadStream | undefined,
    clock: Clock,
    onEnd: (exchange: Exchange) => void,
  ) {
    this.#request = request;
    this.#payload = payload;
    this.#clock = clock;
    this.#onEnd = onEnd;
    this.result = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    this.#cancelTimer = clock.after(request.timeoutMs, () => {
      this.#settle(this.#isSent ? { kind: "broken", reason: "timeout" } : { kind: "unsent" });
      this.end(new Error("time limit"));
    });
    this.#stopListening = request.abort?.onAbort(() => this.end(request.abort?.reason));
  }

  /** Closes the connection. The promise rejects with `reason`, or the body that is being read throws it. */
  end(reason: unknown): void {
    if (this.#isEnded) return;
    this.#ending = { reason };
    this.#reject(reason);
    this.#body?.fail(reason, { drop: true });
    const controller = this.#controller;
    // Before there is a connection the client cannot be told to stop; onRequestStart will.
    this.#finish();
    controller?.abort(new Error("ended by its caller"));
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    if (this.#ending !== undefined) throw new Error("ended before it was sent");
    // The client promises no second try on another connection; if it ever makes one, it fails here.
    if (this.#isSent) throw new Error("sent already");
    try {
      this.#request.onSend?.();
    } catch (error) {
      this.end(error);
      throw error;
    }
    // onSend may have stopped it.
    if (this.#ending !== undefined) throw new Error("ended before it was sent");
    this.#controller = controller;
    this.#isSent = true;
  }

  onResponseStart(
    controller: Dispatcher.DispatchController,
    status: number,
    headers: Readonly<Record<string, string | string[] | undefined>>,
  ): void {
    if (status < 200 || this.#ending !== undefined) return;
    const source = {
      pause: () => controller.pause(),
      resume: () => controller.resume(),
      abort: () => controller.abort(new Error("not wanted any more")),
    };
    this.#body = new AnswerBody(
      source,
      this.#clock,
      announcedSize(headers["content-length"]),
      this.#request.reading,
    );
    const rawHeaders = Array.isArray(controller.rawHeaders) ? controller.rawHeaders : [];
    this.#settle({ kind: "answered", status, headers, rawHeaders, body: this.#body });
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Uint8Array): void {
    this.#body?.receive(chunk);
  }

  onResponseEnd(): void {
    this.#body?.complete();
    this.#finish();
  }

  onResponseError(_controller: Dispatcher.DispatchController | undefined, error: Error): void {
    const failure = this.#payload?.failure;
    if (failure !== undefined) this.#reject(failure);
    else if (codeOf(error) === "UND_ERR_INVALID_ARG") this.#reject(invalidRequest(error));
    else this.#settle(this.#isSent ? { kind: "broken", reason: brokenReason(error) } : { kind: "unsent" });
    this.#body?.fail(failure ?? brokeOff(codeOf(error)), { drop: false });
    this.#finish();
  }

  #settle(result: ExchangeResult): void {
    this.#cancelTimer();
    this.#isUnsent = result.kind === "unsent";
    this.#resolve(result);
  }

  #finish(): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#cancelTimer();
    this.#stopListening?.();
    if (this.#isUnsent && this.#request.keepsUnsent === true) this.#payload?.leave();
    this.#payload?.destroy();
    this.#onEnd(this);
  }
}

function codeOf(error: Error): string {
  return "code" in error && typeof error.code === "string" ? error.code : error.name;
}

// Something answered, only not in HTTP that can be understood.
function brokenReason(error: Error): "reset" | "bad_gateway" {
  const isNonsense = error.name === "HTTPParserError" || NONSENSE.includes(codeOf(error));
  return isNonsense ? "bad_gateway" : "reset";
}

// All else that goes into the request line and the headers is ours, and made to fit.
function invalidRequest(error: Error): GatewayError {
  return new GatewayError("INVALID_REQUEST", `it cannot be written as an HTTP request: ${error.message}`, {
    details: { field: "contentType" },
  });
}
