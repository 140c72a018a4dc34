import ky from "ky";
import PQueue from "p-queue";
import { isRecord, type JsonRecord, textOf } from "./json-fields.ts";
import type { MlflowSettings } from "./options.ts";
import { readText } from "./read-text.ts";
import { isTimeout, unavailable } from "./unavailable.ts";

/** A request, of one of MLflow's three APIs. */
export interface RestRequest {
  /** Below the server's address, percent-encoded. */
  readonly path: string;
  readonly query?: Readonly<Record<string, string>> | undefined;
  /** Makes it a POST of this as JSON. */
  readonly body?: JsonRecord | undefined;
  readonly signal: AbortSignal;
  /** Refusals that mean that nothing is there, beside `RESOURCE_DOES_NOT_EXIST`. Default: none. */
  readonly absent?: readonly string[] | undefined;
  /** For texts. Default 8 MiB, which is also the most. */
  readonly maxBytes?: number | undefined;
}

/** An old server has no such route. */
export const NO_ROUTE = "NO_ROUTE";
export const INVALID_PARAMETER = "INVALID_PARAMETER_VALUE";

const MAX_BYTES = 8 * 1024 * 1024;
const AT_ONCE = 8;
/** After a failed connection nobody else tries for so long: of a list of fifty models one waits, not fifty. */
const PAUSE_MS = 1000;
const MAX_REDIRECTS = 3;
/** A connection that was kept was closed by the other side while the request was on its way. */
const BROKEN = ["ECONNRESET", "EPIPE", "UND_ERR_SOCKET"];
const UNTRUSTED =
  /^(DEPTH_ZERO_SELF_SIGNED_CERT|SELF_SIGNED_CERT_IN_CHAIN|UNABLE_TO_\w+|CERT_\w+|ERR_TLS_CERT_ALTNAME_INVALID)$/;

/** Requests to one MLflow server. All of them only read, so that one may be sent twice. */
export class RestClient {
  readonly #settings: MlflowSettings;
  readonly #line = new PQueue({ concurrency: AT_ONCE });
  #pausedUntil = 0;
  #pausedBy: unknown;

  constructor(settings: MlflowSettings) {
    this.#settings = settings;
  }

  /** A document; `undefined` when there is nothing of that name. Rejects `TRACKING_UNAVAILABLE`. */
  async json(request: RestRequest): Promise<JsonRecord | undefined> {
    const text = await this.text(request);
    if (text === undefined) return undefined;
    const value = parsed(text);
    if (!isRecord(value)) throw unavailable("answer", this.#settings);
    return value;
  }

  /** The same of a file. */
  text(request: RestRequest): Promise<string | undefined> {
    return this.#line.add(() => this.#text(request), { signal: request.signal });
  }

  async #text(request: RestRequest): Promise<string | undefined> {
    if (performance.now() < this.#pausedUntil) throw this.#pausedBy;
    const answer = await this.#exchange(request);
    this.#pausedUntil = 0;
    if (answer.status === 200) return answer.text;
    const code = refusalOf(answer);
    if (code === "RESOURCE_DOES_NOT_EXIST" || request.absent?.includes(code)) return undefined;
    throw this.#toError(answer, code);
  }

  #toError({ status }: Answer, code: string): Error {
    if (status === 401) return unavailable("refused", this.#settings, status);
    if (status === 403) return unavailable("forbidden", this.#settings, status);
    if (status >= 300 && status < 400) return unavailable("elsewhere", this.#settings, status);
    return unavailable(code === NO_ROUTE ? "answer" : "status", this.#settings, status);
  }

  async #exchange(request: RestRequest): Promise<Answer> {
    for (let isRepeated = false; ; isRepeated = true) {
      try {
        return await this.#follow(request);
      } catch (error) {
        const failure = this.#failureOf(error, request.signal);
        if (failure === "broken" && !isRepeated) continue;
        if (typeof failure !== "string") {
          if (isTimeout(failure)) this.#pause(failure);
          throw failure;
        }
        const told = unavailable(failure === "untrusted" ? "untrusted" : "unreachable", this.#settings);
        this.#pause(told);
        throw told;
      }
    }
  }

  /** What is wrong with the connection; otherwise what to reject with. */
  #failureOf(error: unknown, signal: AbortSignal): "broken" | "unreachable" | "untrusted" | Error {
    if (signal.aborted) return signal.reason;
    if (error instanceof TooLarge) return unavailable("size", this.#settings);
    const code = codeOf(error);
    if (BROKEN.includes(code)) return "broken";
    return UNTRUSTED.test(code) ? "untrusted" : "unreachable";
  }

  #pause(error: Error): void {
    this.#pausedUntil = performance.now() + PAUSE_MS;
    this.#pausedBy = error;
  }

  /** Goes where it is led on the same server. Elsewhere the credentials have no business. */
  async #follow(request: RestRequest): Promise<Answer> {
    const { base, origin } = this.#settings;
    const url = new URL(`${base}${request.path}`);
    for (const [name, value] of Object.entries(request.query ?? {})) url.searchParams.set(name, value);
    for (let next = url, count = 0; ; count += 1) {
      const answer = await this.#send(next, request);
      const { status, location } = answer;
      if (location === undefined || request.body !== undefined || count === MAX_REDIRECTS) return answer;
      if (status < 300 || status >= 400 || !URL.canParse(location, next.href)) return answer;
      next = new URL(location, next);
      if (next.origin !== origin) return answer;
    }
  }

  async #send(url: URL, { body, signal, maxBytes = MAX_BYTES }: RestRequest): Promise<Answer> {
    const { authorization } = this.#settings;
    const response = await ky(url, {
      method: body === undefined ? "GET" : "POST",
      headers: {
        accept: "application/json, text/plain;q=0.9, */*;q=0.1",
        ...(authorization !== undefined && { authorization }),
      },
      ...(body !== undefined && { json: body }),
      redirect: "manual",
      signal,
      // The time limit is one for all requests of a question, and repeating is decided above.
      timeout: false,
      retry: 0,
      throwHttpErrors: false,
    });
    const text = await readText(response, Math.min(maxBytes, MAX_BYTES));
    if (text === undefined) throw new TooLarge();
    return { status: response.status, location: response.headers.get("location") ?? undefined, text };
  }
}

interface Answer {
  readonly status: number;
  readonly location: string | undefined;
  readonly text: string;
}

class TooLarge extends Error {}

/** What MLflow calls the refusal; `NO_ROUTE` for a 404 that is not by it. */
function refusalOf({ status, text }: Answer): string {
  const value = status >= 400 && status < 500 ? parsed(text) : undefined;
  const code = isRecord(value) ? textOf(value["error_code"]) : undefined;
  return code ?? (status === 404 ? NO_ROUTE : "");
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function codeOf(error: unknown): string {
  const { code, cause } = (error ?? {}) as { readonly code?: unknown; readonly cause?: unknown };
  if (typeof code === "string") return code;
  return cause === undefined ? "" : codeOf(cause);
}
