import type { IncomingMessage } from "node:http";
import { CommandError } from "../command-error.ts";
import { EXIT } from "../exit-codes.ts";
import { printable } from "../output/printable.ts";
import { sendRequest, type UploadBody } from "./send-request.ts";

const IDLE_MS = 60_000;
const MAX_JSON_BYTES = 64 * 1024 * 1024;
const MAX_ERROR_BYTES = 64 * 1024;

export interface GatewayClientOptions {
  readonly url: string;
  readonly adminKey: string | undefined;
  /** How long a gateway may say nothing. Default 60,000. */
  readonly idleMs?: number | undefined;
}

export interface GatewayCall {
  readonly method?: string;
  /** With its query, and without the address's own path. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: UploadBody | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** No gateway could be asked. */
export class Unreachable extends CommandError {
  override readonly name: string = "Unreachable";
  /** Whether the request may have arrived all the same. */
  readonly mayHaveArrived: boolean;

  constructor(message: string, mayHaveArrived: boolean) {
    super(EXIT.unreachable, message);
    this.mayHaveArrived = mayHaveArrived;
  }
}

/** What the body of an error says. */
interface Saying {
  readonly said: string;
  readonly code: string | undefined;
}

/** A gateway answered, and not as it was wished. */
export class Refused extends CommandError {
  override readonly name: string = "Refused";
  readonly status: number;
  /** The gateway's own words. */
  readonly said: string;
  /** One of the codes of errors, where it gave one. */
  readonly code: string | undefined;

  constructor(status: number, { said, code }: Saying, advice: string) {
    super(EXIT.refused, `The gateway refused (${status}): ${said}${advice}`);
    this.status = status;
    this.said = said;
    this.code = code;
  }
}

/** Talks to a running gateway, for a person: what goes wrong is told with what to do. */
export class GatewayClient {
  readonly #base: URL;
  readonly #headers: Readonly<Record<string, string>>;
  readonly #hasKey: boolean;
  readonly #idleMs: number;

  constructor({ url, adminKey, idleMs = IDLE_MS }: GatewayClientOptions) {
    const base = new URL(url);
    const { username, password } = base;
    const pair = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
    base.username = "";
    base.password = "";
    this.#base = base;
    this.#hasKey = adminKey !== undefined;
    this.#idleMs = idleMs;
    this.#headers = {
      accept: "*/*",
      "user-agent": "modelgate",
      ...(username !== "" && { authorization: `Basic ${Buffer.from(pair).toString("base64")}` }),
      ...(adminKey !== undefined && { "x-modelgate-key": adminKey }),
    };
  }

  /** A good answer's JSON. Throws `CommandError`. */
  async json<T>(call: GatewayCall): Promise<T> {
    const response = await this.open(call);
    const text = await readText(response, MAX_JSON_BYTES).catch((error: unknown) =>
      this.#unreachable(error, true),
    );
    return this.#parse(text) as T;
  }

  /** A good answer, whose body is still to be read. Throws `CommandError` for any other. */
  async open({ method = "GET", path, headers, body, signal }: GatewayCall): Promise<IncomingMessage> {
    const url = new URL(this.#base);
    const base = url.pathname.replace(/\/+$/, "");
    const sent = {
      url,
      method,
      headers: { ...this.#headers, ...headers },
      body,
      signal,
      idleMs: this.#idleMs,
    };
    // A URL would write some characters of a query otherwise than they were given.
    const response = await sendRequest({ ...sent, target: `${base}${path}` }).catch((error: unknown) => {
      signal?.throwIfAborted();
      if (error instanceof CommandError) throw error;
      return this.#unreachable(error, body !== undefined);
    });
    const { statusCode = 0 } = response;
    if (statusCode >= 200 && statusCode < 300) return response;
    throw await this.#refusal(response, statusCode);
  }

  #unreachable(error: unknown, mayHaveArrived: boolean): never {
    const { code = "unknown error" } = error as NodeJS.ErrnoException;
    const isBefore = ["ECONNREFUSED", "ENOTFOUND", "EAI_AGAIN", "EHOSTUNREACH", "ENETUNREACH"].includes(code);
    const what = isBefore ? "No gateway answers" : "The connection broke off";
    throw new Unreachable(
      `${what} at ${this.#base.href} (${code}). Start one with modelgate serve, or name another with --url.`,
      mayHaveArrived && !isBefore,
    );
  }

  #parse(text: string | undefined): unknown {
    try {
      return JSON.parse(text ?? "");
    } catch {
      const message = `What answers at ${this.#base.href} is no Modelgate gateway; name one with --url.`;
      throw new CommandError(EXIT.unreachable, message);
    }
  }

  async #refusal(response: IncomingMessage, status: number): Promise<CommandError> {
    const text = await readText(response, MAX_ERROR_BYTES).catch(() => undefined);
    response.destroy();
    const saying = sayingOf(text);
    if (saying === undefined) {
      const message = `What answers at ${this.#base.href} is no Modelgate gateway (status ${status}); name one with --url.`;
      return new CommandError(EXIT.unreachable, message);
    }
    const retryAfter = response.headers["retry-after"];
    if (retryAfter !== undefined)
      return new Refused(status, saying, ` It may go through in ${printable(retryAfter)} s.`);
    // Other refusals of this kind have a code, and no key would change them.
    const isForKey = (status === 401 || status === 403) && saying.code === undefined;
    if (!isForKey) return new Refused(status, saying, "");
    const advice = this.#hasKey
      ? ": the key is not that of this gateway."
      : ": give its key by MODELGATE_ADMIN_KEY, or call where its data directory is, or with --data-dir.";
    return new Refused(status, saying, advice);
  }
}

/** What a gateway says in the body of an error; `undefined` for a body that is none of a gateway. */
function sayingOf(text: string | undefined): Saying | undefined {
  try {
    const { detail, code } = (JSON.parse(text ?? "") ?? {}) as { detail?: unknown; code?: unknown };
    const said = textOf(detail);
    return said === undefined ? undefined : { said, code: typeof code === "string" ? code : undefined };
  } catch {
    return undefined;
  }
}

function textOf(detail: unknown): string | undefined {
  if (typeof detail === "string") return printable(detail);
  if (typeof detail !== "object" || detail === null) return undefined;
  if (!Array.isArray(detail)) return printable(JSON.stringify(detail).slice(0, 500));
  const issues = detail as { loc?: unknown; msg?: unknown }[];
  return printable(issues.map(({ loc, msg }) => `${[loc].flat().join(".")}: ${String(msg)}`).join("; "));
}

async function readText(response: IncomingMessage, maxBytes: number): Promise<string | undefined> {
  const chunks: Buffer[] = [];
  let sizeBytes = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    sizeBytes += chunk.byteLength;
    if (sizeBytes > maxBytes) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}
