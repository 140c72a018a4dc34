import { Agent } from "undici";
import type { Clock } from "../contracts/clock.ts";
import { GatewayError } from "../errors.ts";
import { Exchange, type ExchangeRequest, type ExchangeResult } from "./exchange.ts";
import { discardPayload, PayloadStream } from "./payload-stream.ts";

/** A server that sends more than this before its body is broken. */
const MAX_HEADER_BYTES = 16 * 1024;
/** What a server's `Keep-Alive: timeout` may ask for at most. */
const MAX_KEEP_ALIVE_MS = 60_000;
/** A connection is given up this long before the server says that it closes it. */
const KEEP_ALIVE_MARGIN_MS = 1000;

export interface HttpTransportOptions {
  readonly clock: Clock;
  /** At most so many connections to one origin; more requests wait. */
  readonly connections: number;
  readonly connectTimeoutMs: number;
  readonly keepAliveMs: number;
}

/**
 * The connections to model servers. One request at a time on each, nothing is ever sent twice, no redirect is
 * followed and no proxy of the environment is asked.
 */
export class HttpTransport {
  readonly #clock: Clock;
  readonly #kept: Agent;
  readonly #own: Agent;
  readonly #open = new Set<Exchange>();
  #closing: Promise<void> | undefined;

  constructor(options: HttpTransportOptions) {
    this.#clock = options.clock;
    const shared = {
      connections: options.connections,
      maxHeaderSize: MAX_HEADER_BYTES,
      // Both limits are ours: one until the headers, and the body's is the caller's.
      headersTimeout: 0,
      bodyTimeout: 0,
      connect: { timeout: options.connectTimeoutMs },
    };
    this.#kept = new Agent({
      ...shared,
      pipelining: 1,
      keepAliveTimeout: options.keepAliveMs,
      keepAliveMaxTimeout: Math.max(options.keepAliveMs, MAX_KEEP_ALIVE_MS),
      keepAliveTimeoutThreshold: KEEP_ALIVE_MARGIN_MS,
    });
    // No pipelining at all means `connection: close`.
    this.#own = new Agent({ ...shared, pipelining: 0 });
  }

  /** Sends it. A payload stream has been read to its end or let go of when the answer is over. */
  async send(request: ExchangeRequest): Promise<ExchangeResult> {
    const { payload, abort } = request;
    if (this.#closing !== undefined || abort?.aborted) {
      if (payload !== undefined) discardPayload(payload);
      if (abort?.aborted) throw abort.reason;
      throw closed();
    }
    const { headers } = request;
    const sizeBytes = Number.isSafeInteger(request.sizeBytes) ? request.sizeBytes : undefined;
    const stream =
      payload === undefined || payload instanceof Uint8Array
        ? undefined
        : new PayloadStream(payload, sizeBytes);
    const exchange = new Exchange(request, stream, this.#clock, (ended) => this.#open.delete(ended));
    this.#open.add(exchange);
    (request.ownConnection ? this.#own : this.#kept).dispatch(
      {
        origin: request.origin,
        path: request.target,
        method: request.method,
        // The client writes `content-length: 0` itself for a stream that turns out empty.
        headers: stream !== undefined && sizeBytes ? withLength(headers, sizeBytes) : mutable(headers),
        body: stream ?? (payload instanceof Uint8Array ? payload : null),
        idempotent: false,
      },
      exchange,
    );
    return exchange.result;
  }

  /** Throws when it was closed. */
  throwIfClosed(): void {
    if (this.#closing !== undefined) throw closed();
  }

  /** Ends every exchange with `CLOSED` and closes all connections. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    for (const exchange of [...this.#open]) exchange.end(closed());
    await Promise.all([this.#kept.destroy(), this.#own.destroy()]);
  }
}

type Headers = ExchangeRequest["headers"];

function withLength(headers: Headers, sizeBytes: number): Record<string, string> | string[] {
  if (isList(headers)) return [...headers, "content-length", String(sizeBytes)];
  return { ...headers, "content-length": String(sizeBytes) };
}

// The client's types ask for a list that it might change; it does not.
function mutable(headers: Headers): Record<string, string> | string[] {
  return headers as Record<string, string> | string[];
}

function isList(headers: Headers): headers is readonly string[] {
  return Array.isArray(headers);
}

function closed(): GatewayError {
  return new GatewayError("CLOSED", "the protocol was closed");
}
