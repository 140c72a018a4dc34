import ky from "ky";
import type { Clock } from "../contracts/clock.ts";
import type { OperationOptions } from "../contracts/common.ts";
import type { ModelServer } from "../contracts/discovery.ts";
import { abortOf } from "../late-abort.ts";
import { instanceOf } from "./answered.ts";
import { parseJson, readAtMost } from "./bounded-read.ts";
import { type CmsLogins, deniedAnswer, sendAuthorized } from "./cms-logins.ts";
import type { ExchangeResult } from "./exchange.ts";
import type { HttpTransport } from "./http-transport.ts";
import { parseServerAddress } from "./server-address.ts";

const MAX_DOCUMENT_BYTES = 1024 * 1024;
/** Statuses that a `Response` takes without a body only. */
const WITHOUT_BODY = [204, 205, 304];

/** A small request about a server or a run. */
export interface ControlRequest {
  readonly server: ModelServer;
  readonly method: "GET" | "POST";
  readonly path: string;
  readonly query?: Readonly<Record<string, string>> | undefined;
  /** For the headers, and again for the body. */
  readonly timeoutMs: number;
}

/** What came back. `unreachable`, `timeout`, `broken`: nothing that can be used. */
export type ControlAnswer =
  | {
      readonly kind: "answered";
      readonly status: number;
      readonly instance: string | undefined;
      /** `undefined` when the body is no JSON, too long, or broke off. */
      readonly json: unknown;
    }
  | { readonly kind: "unreachable" | "timeout" | "broken" };

/**
 * Control calls, by ky over the transport. Each opens a connection of its own: a probe must neither wait behind the
 * running calls nor trust a connection from before the server went away.
 */
export class ControlClient {
  readonly #transport: HttpTransport;
  readonly #clock: Clock;
  readonly #logins: CmsLogins;

  constructor(transport: HttpTransport, clock: Clock, logins: CmsLogins) {
    this.#transport = transport;
    this.#clock = clock;
    this.#logins = logins;
  }

  async send(request: ControlRequest, options: OperationOptions): Promise<ControlAnswer> {
    const { signal } = options;
    const address = parseServerAddress(request.server.url);
    if (address === undefined) return { kind: "unreachable" };
    let outcome: ExchangeResult | undefined;
    const fetchOverTransport = async (input: Request | URL | string): Promise<Response> => {
      const { url, method } = new Request(input);
      const { origin, pathname, search } = new URL(url);
      const abort = abortOf(options);
      const send = (own: Readonly<Record<string, string>>): Promise<ExchangeResult> =>
        this.#transport.send({
          origin,
          target: `${pathname}${search}`,
          method: method === "POST" ? "POST" : "GET",
          headers: { ...address.headers, ...own },
          ownConnection: true,
          timeoutMs: request.timeoutMs,
          abort,
        });
      const { server } = request;
      const asked = { server, canRepeat: true, abort, send, denied: deniedAnswer };
      const result = await sendAuthorized(this.#logins, asked);
      outcome = result.kind === "shut" ? { kind: "unsent" } : result;
      if (outcome.kind !== "answered") throw new Error("no answer");
      const bounds = { maxBytes: MAX_DOCUMENT_BYTES, limitMs: request.timeoutMs, clock: this.#clock };
      const bytes = await readAtMost(outcome.body, bounds);
      const body = bytes === undefined || WITHOUT_BODY.includes(outcome.status) ? null : bytes;
      return new Response(body, { status: outcome.status });
    };
    try {
      const response = await ky(`${address.origin}${address.prefix}${request.path}`, {
        method: request.method,
        ...(request.query === undefined ? {} : { searchParams: { ...request.query } }),
        // Not the host's fetch: it refuses some ports, may ask a proxy of the environment, and knows no close().
        fetch: fetchOverTransport,
        // Time limits are the transport's, and whoever asks decides whether to ask again.
        timeout: false,
        retry: 0,
        throwHttpErrors: false,
      });
      const json = parseJson(new Uint8Array(await response.arrayBuffer()));
      signal?.throwIfAborted();
      const instance = outcome?.kind === "answered" ? instanceOf(outcome) : undefined;
      return { kind: "answered", status: response.status, instance, json };
    } catch (error) {
      signal?.throwIfAborted();
      // No result means that it was not the server's doing.
      if (outcome === undefined) throw error;
      if (outcome.kind === "unsent") return { kind: "unreachable" };
      return { kind: outcome.kind === "broken" && outcome.reason === "timeout" ? "timeout" : "broken" };
    }
  }
}
