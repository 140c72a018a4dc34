import { setMaxListeners } from "node:events";
import type { IncomingHttpHeaders, IncomingMessage } from "node:http";
import { GatewayError } from "@modelgate/core";
import { agreedVersion, HIGHEST_API, isSupported, LOWEST_API, parseVersion } from "./api-version.ts";
import { CallLimit } from "./call-limit.ts";
import { type DialRequest, dial, readBody } from "./dial.ts";
import {
  connectionError,
  EngineError,
  refusesVersion,
  saysUnavailable,
  unavailable,
  wasStale,
} from "./engine-error.ts";
import { createModems, type Modem, type Modems } from "./modem.ts";
import { type ConnectionSettings, checkConnectionOptions, type DockerConnectionOptions } from "./options.ts";

export interface EngineRequest {
  /** Default `GET`. */
  readonly method?: "GET" | "HEAD" | "POST" | "PUT" | "DELETE" | undefined;
  /** Without the version and the query: `/containers/json`. Encode what goes into it. */
  readonly path: string;
  /** An object becomes JSON, which is how filters are given: `{ filters: { label: ["a=b"] } }`. */
  readonly query?: Readonly<Record<string, unknown>> | undefined;
  /** Sent as JSON. */
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** Statuses from 300 on that are no error, such as 304 for what is so already. */
  readonly accept?: readonly number[] | undefined;
  /** For the whole call; for a stream, until its first byte may come. Default: the connection's. */
  readonly timeoutMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface EngineAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  /** What the JSON said; the text if it was none; undefined without a body. */
  readonly body: unknown;
}

export interface EngineStream {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  /** To be read once. Leaving the loop ends the stream; a break throws `DEPLOYER_UNAVAILABLE`. */
  readonly body: AsyncIterable<Uint8Array>;
  /** Ends it without reading on; a loop over it then ends too. */
  close(): void;
}

export interface EnginePing {
  /** What is spoken from now on. */
  readonly apiVersion: string;
  /** The engine's clock, to the second below. */
  readonly at: Date | undefined;
}

type CallOptions = Pick<EngineRequest, "timeoutMs" | "signal">;

const LONGEST_ANSWER_BYTES = 64 * 1024 * 1024;
const LONGEST_ERROR_BYTES = 64 * 1024;

/**
 * One engine, spoken to by a version that both sides know. Every call ends at its time limit. Rejects
 * `DEPLOYER_UNAVAILABLE` when there is no answer, `DEPLOYER_REFUSED` when no version is common, and `EngineError`
 * with the status when the answer is no.
 */
export class EngineConnection {
  readonly #settings: ConnectionSettings;
  readonly #modems: Modems;
  readonly #closing = new AbortController();
  #ping: Promise<EnginePing> | undefined;

  /** Throws `INVALID_OPTIONS`. Nothing is opened before the first call. */
  constructor(options: DockerConnectionOptions) {
    this.#settings = checkConnectionOptions(options);
    this.#modems = createModems(this.#settings.address);
    // One listener for each call that is on its way.
    setMaxListeners(0, this.#closing.signal);
  }

  /** The host that a client over TCP connects to; undefined over a socket, which is on this machine. */
  get remoteHost(): string | undefined {
    const { address } = this.#settings;
    if (address.kind === "tcp") return address.host;
    if (address.kind === "socket") return undefined;
    const { host } = address.client.modem as { host?: string };
    return host?.replace(/^\w+:\/\//, "").replace(/[:/].*$/, "");
  }

  /** Where the socket is, if it is one. */
  get socketPath(): string | undefined {
    const { address } = this.#settings;
    return address.kind === "socket" ? address.socketPath : undefined;
  }

  /** Asks whether the engine is there and which version to speak, whatever was agreed before. */
  async ping(options: CallOptions = {}): Promise<EnginePing> {
    const limit = this.#limit(options);
    try {
      const ping = this.#askVersion(limit);
      const answer = await ping;
      this.#ping = ping;
      return answer;
    } finally {
      limit.release();
    }
  }

  /** A call whose whole answer is read. */
  async call(request: EngineRequest): Promise<EngineAnswer> {
    const limit = this.#limit(request);
    try {
      return await this.#withVersion(limit, async (version) => {
        const response = await this.#send(this.#modems.calls, request, version, limit);
        const body = await limit.race(readBody(response, LONGEST_ANSWER_BYTES));
        return {
          status: response.statusCode ?? 0,
          headers: response.headers,
          body: parseBody(response, body),
        };
      });
    } catch (error) {
      throw this.#judge(error, limit);
    } finally {
      limit.release();
    }
  }

  /** A call whose answer goes on: events, logs, a pull. Resolves when it has begun. */
  async stream(request: EngineRequest): Promise<EngineStream> {
    const limit = this.#limit(request);
    try {
      const response = await this.#withVersion(limit, (version) =>
        this.#send(this.#modems.streams, request, version, limit),
      );
      limit.stopClock();
      return {
        status: response.statusCode ?? 0,
        headers: response.headers,
        body: this.#chunksOf(response, limit),
        close: () => limit.abandon(),
      };
    } catch (error) {
      limit.release();
      throw this.#judge(error, limit);
    }
  }

  /** Ends every call with `CLOSED`. A client that was handed in stays open. */
  close(): void {
    if (this.#closing.signal.aborted) return;
    this.#closing.abort(new GatewayError("CLOSED", "the connection to the engine was closed"));
    this.#modems.close();
  }

  #limit({ timeoutMs = this.#settings.timeoutMs, signal }: CallOptions): CallLimit {
    this.#closing.signal.throwIfAborted();
    signal?.throwIfAborted();
    return new CallLimit(timeoutMs, signal, this.#closing.signal);
  }

  /** An engine may be replaced by one of another version while it is connected to; it then refuses ours. */
  async #withVersion<T>(limit: CallLimit, work: (version: string) => Promise<T>): Promise<T> {
    try {
      return await work(await this.#version(limit));
    } catch (error) {
      if (!EngineError.is(error) || !refusesVersion(error.status, error.reason)) throw error;
      this.#ping = undefined;
      const version = await this.#version(limit);
      try {
        return await work(version);
      } catch (again) {
        if (!EngineError.is(again) || !refusesVersion(again.status, again.reason)) throw again;
        throw tooFarApart(version, again.reason);
      }
    }
  }

  async #version(limit: CallLimit): Promise<string> {
    const { apiVersion } = this.#settings;
    if (apiVersion !== undefined) return apiVersion;
    if (this.#ping === undefined) {
      // Shared by all who wait for it, and therefore ended by none of them.
      const own = new CallLimit(this.#settings.timeoutMs, this.#closing.signal);
      const ping = this.#askVersion(own).finally(() => own.release());
      this.#ping = ping;
      ping.catch(() => {
        if (this.#ping === ping) this.#ping = undefined;
      });
    }
    return (await limit.race(this.#ping)).apiVersion;
  }

  async #askVersion(limit: CallLimit): Promise<EnginePing> {
    const request: EngineRequest = { path: "/_ping" };
    try {
      const response = await this.#send(this.#modems.calls, request, undefined, limit);
      await limit.race(readBody(response, LONGEST_ERROR_BYTES));
      const { "api-version": found, date } = response.headers;
      const at = new Date(date ?? "");
      const apiVersion = this.#settings.apiVersion ?? commonVersion(typeof found === "string" ? found : "");
      return { apiVersion, at: Number.isNaN(at.getTime()) ? undefined : at };
    } catch (error) {
      throw this.#judge(error, limit);
    }
  }

  /** Resolves when the answer has begun and is not an error. */
  async #send(
    modem: Modem,
    request: EngineRequest,
    version: string | undefined,
    limit: CallLimit,
  ): Promise<IncomingMessage> {
    const { method = "GET", path, query = {}, headers = {}, body, accept = [] } = request;
    const isVersioned = version !== undefined && modem.version === undefined;
    const dialled: DialRequest = {
      method,
      path: isVersioned ? `/v${version}${path}` : path,
      query: queryTexts(query),
      headers: body === undefined ? headers : { "Content-Type": "application/json", ...headers },
      body: body === undefined ? undefined : Buffer.from(JSON.stringify(body)),
    };
    const response = await dial(modem, dialled, limit).catch((error: unknown) => {
      if (method !== "GET" || limit.signal.aborted || !wasStale(error)) throw error;
      return dial(modem, dialled, limit);
    });
    const status = response.statusCode ?? 0;
    if ((status >= 200 && status < 300) || accept.includes(status)) return response;
    const reason = messageOf(await limit.race(readBody(response, LONGEST_ERROR_BYTES)));
    if (saysUnavailable(status, reason)) {
      throw unavailable(
        `the engine answered ${status} to ${method} ${path}: it is not there now`,
        `${status}`,
      );
    }
    throw new EngineError(status, `${method} ${path}`, reason);
  }

  async *#chunksOf(response: IncomingMessage, limit: CallLimit): AsyncGenerator<Uint8Array, void, undefined> {
    try {
      yield* response as AsyncIterable<Uint8Array>;
    } catch (error) {
      if (!limit.isAbandoned) throw this.#judge(error, limit);
    } finally {
      limit.release();
    }
  }

  /** The error that the caller gets; its own reason when it has given up. */
  #judge(error: unknown, limit: CallLimit): unknown {
    if (limit.signal.aborted) return this.#forget(limit.signal.reason);
    return error instanceof EngineError ? error : this.#forget(connectionError(error));
  }

  /** Who answers next may be another engine. */
  #forget(error: unknown): unknown {
    if (GatewayError.is(error, "DEPLOYER_UNAVAILABLE")) this.#ping = undefined;
    return error;
  }
}

function commonVersion(ofEngine: string): string {
  if (parseVersion(ofEngine) === undefined) {
    throw new GatewayError("DEPLOYER_REFUSED", "what answers is no Docker Engine: it names no API version");
  }
  if (isSupported(ofEngine)) return agreedVersion(ofEngine);
  throw new GatewayError(
    "DEPLOYER_REFUSED",
    `the engine speaks API ${ofEngine} at most; ${LOWEST_API} is needed, which Docker 20.10 has`,
    { details: { engine: ofEngine, needed: LOWEST_API } },
  );
}

function tooFarApart(version: string, reason: string): GatewayError {
  const needed = /API version is (\d+\.\d+)/.exec(reason)?.[1] ?? "another one";
  return new GatewayError(
    "DEPLOYER_REFUSED",
    `the engine refuses API ${version} and wants ${needed}; known are ${LOWEST_API} to ${HIGHEST_API}`,
    { details: { spoken: version, needed } },
  );
}

function queryTexts(query: Readonly<Record<string, unknown>>): Record<string, string> {
  const texts: Record<string, string> = {};
  for (const [name, value] of Object.entries(query)) {
    if (value === undefined) continue;
    texts[name] = typeof value === "object" ? JSON.stringify(value) : String(value);
  }
  return texts;
}

function parseBody(response: IncomingMessage, body: Buffer): unknown {
  if (body.length === 0) return undefined;
  const text = body.toString("utf8");
  if (!/json/.test(response.headers["content-type"] ?? "")) return text;
  try {
    return JSON.parse(text);
  } catch {
    throw new Error("the engine's answer is no JSON");
  }
}

/** The engine's words, which it puts into `message`; a proxy in front of it writes whatever it likes. */
function messageOf(body: Buffer): string {
  const text = body.toString("utf8").trim();
  try {
    const { message } = JSON.parse(text) as { message?: unknown };
    return typeof message === "string" ? message : "";
  } catch {
    return text;
  }
}
