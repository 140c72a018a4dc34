import type { Clock } from "../contracts/clock.ts";
import type { ModelServer } from "../contracts/discovery.ts";
import { GatewayError } from "../errors.ts";
import type { AbortSource } from "../late-abort.ts";
import { parseJson, readAtMost, textField } from "./bounded-read.ts";
import type { ExchangeResult } from "./exchange.ts";
import type { HttpTransport } from "./http-transport.ts";
import { expiresAtMs } from "./login-token.ts";
import { parseServerAddress } from "./server-address.ts";

/** As whom a server is spoken to: a user who logs in, or a token that never changes. */
export type CmsCredentials =
  | { readonly username: string; readonly password: string }
  | { readonly token: string };

/** Whether a server lets us in. */
export type Entry =
  /** With these headers; `isOwn` when they come of credentials. */
  | { readonly kind: "open"; readonly isOwn: boolean; readonly headers: Readonly<Record<string, string>> }
  /** Not now: it cannot be reached, or does not accept the credentials. */
  | { readonly kind: "shut"; readonly isReached: boolean; readonly retryAfterMs: number };

export interface CmsLoginsOptions {
  readonly transport: HttpTransport;
  readonly clock: Clock;
  readonly credentials: ((server: ModelServer) => CmsCredentials | undefined) | undefined;
  readonly timeoutMs: number;
  readonly onError: ((error: GatewayError) => void) | undefined;
}

/** What is known of one server. */
interface Login {
  /** The address and the credentials that it is about. */
  readonly for: string;
  readonly server: string;
  headers: Readonly<Record<string, string>> | undefined;
  /** Whether it ever let us in with these. */
  isProven: boolean;
  expiresAtMs: number;
  pending: Promise<Entry> | undefined;
  failures: number;
  /** Nobody tries before then, by the monotonic clock. */
  shutUntilMs: number;
  isReached: boolean;
  isTold: boolean;
}

const PATH = "/auth/jwt/login";
/** Answers of a server that has no such route, and so lets everybody in. */
const NOT_THERE = [404, 405, 501];
const TOKEN = /^[\x21-\x7e]+$/;
const MAX_ANSWER_BYTES = 64 * 1024;
const FIRST_PAUSE_MS = 5_000;
const LONGEST_PAUSE_MS = 300_000;
const UNREACHED_PAUSE_MS = 1_000;

const OPEN: Entry = { kind: "open", isOwn: false, headers: {} };

/**
 * Logs in at servers. One login at a time for each, however many calls wait for it; tokens stay in memory. A server
 * that does not accept its credentials is asked again ever less often.
 */
export class CmsLogins {
  readonly #options: CmsLoginsOptions;
  readonly #logins = new Map<string, Login>();

  constructor(options: CmsLoginsOptions) {
    this.#options = options;
  }

  /** What to send along. Rejects only the reason of `abort`; a login that others wait for goes on. */
  enter(server: ModelServer, abort?: AbortSource): Entry | Promise<Entry> {
    const credentials = this.#options.credentials?.(server);
    if (credentials === undefined) return OPEN;
    const login = this.#loginOf(server, credentials);
    const nowMs = this.#options.clock.monotonic();
    if (nowMs < login.shutUntilMs) {
      return { kind: "shut", isReached: login.isReached, retryAfterMs: login.shutUntilMs - nowMs };
    }
    if (login.headers !== undefined && this.#options.clock.now() < login.expiresAtMs) {
      return { kind: "open", isOwn: true, headers: login.headers };
    }
    if ("token" in credentials) return this.#entered(login, credentials.token);
    login.pending ??= this.#logIn(server, login, credentials).finally(() => {
      login.pending = undefined;
    });
    return abort === undefined ? login.pending : unlessAborted(login.pending, abort);
  }

  /** Whether there are credentials for it. */
  asks(server: ModelServer): boolean {
    return this.#options.credentials?.(server) !== undefined;
  }

  /** A server answered 401 to `headers`. It takes another login only where it took one before. */
  refused(server: ModelServer, headers: Readonly<Record<string, string>>): void {
    const login = this.#logins.get(server.id);
    // Meanwhile somebody may have logged in anew.
    if (login === undefined || login.headers !== headers) return;
    login.headers = undefined;
    if (!login.isProven) this.#shut(login, true);
  }

  /** A server took `headers`. */
  accepted(server: ModelServer, headers: Readonly<Record<string, string>>): void {
    const login = this.#logins.get(server.id);
    if (login?.headers !== headers) return;
    login.isProven = true;
    login.failures = 0;
    login.isTold = false;
  }

  #loginOf(server: ModelServer, credentials: CmsCredentials): Login {
    const about = JSON.stringify([server.url, credentials]);
    const known = this.#logins.get(server.id);
    if (known?.for === about) return known;
    const login: Login = {
      for: about,
      server: server.id,
      headers: undefined,
      isProven: false,
      expiresAtMs: Number.POSITIVE_INFINITY,
      pending: undefined,
      failures: 0,
      shutUntilMs: 0,
      isReached: true,
      isTold: false,
    };
    this.#logins.set(server.id, login);
    return login;
  }

  async #logIn(
    server: ModelServer,
    login: Login,
    { username, password }: { readonly username: string; readonly password: string },
  ): Promise<Entry> {
    const { transport, timeoutMs, clock } = this.#options;
    const address = parseServerAddress(server.url);
    if (address === undefined) return this.#shut(login, false);
    const result = await transport.send({
      origin: address.origin,
      target: `${address.prefix}${PATH}`,
      method: "POST",
      headers: { ...address.headers, "content-type": "application/x-www-form-urlencoded" },
      payload: Buffer.from(new URLSearchParams({ username, password }).toString()),
      ownConnection: true,
      timeoutMs,
    });
    if (result.kind !== "answered") return this.#shut(login, false);
    const bounds = { maxBytes: MAX_ANSWER_BYTES, limitMs: timeoutMs, clock };
    const json = parseJson(await readAtMost(result.body, bounds));
    if (NOT_THERE.includes(result.status)) return this.#openTo(login);
    // A server that is busy or starting says nothing of the credentials.
    if (result.status === 429 || result.status >= 500) return this.#shut(login, false);
    const token = result.status === 200 ? textField(json, "access_token") : undefined;
    return token === undefined ? this.#shut(login, true) : this.#entered(login, token);
  }

  #entered(login: Login, token: string): Entry {
    if (!TOKEN.test(token)) return this.#shut(login, true);
    const nowMs = this.#options.clock.now();
    login.headers = { authorization: `Bearer ${token}` };
    login.isProven = false;
    login.expiresAtMs = expiresAtMs(token, nowMs);
    return { kind: "open", isOwn: true, headers: login.headers };
  }

  /** It asks nobody who calls; should it answer 401 one day, that is found out anew. */
  #openTo(login: Login): Entry {
    login.headers = {};
    login.isProven = false;
    login.expiresAtMs = Number.POSITIVE_INFINITY;
    return { kind: "open", isOwn: true, headers: login.headers };
  }

  #shut(login: Login, isDenied: boolean): Entry {
    const pauseMs = isDenied
      ? Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** Math.min(login.failures, 10))
      : UNREACHED_PAUSE_MS;
    if (isDenied) login.failures += 1;
    login.headers = undefined;
    login.isReached = isDenied;
    login.shutUntilMs = this.#options.clock.monotonic() + pauseMs;
    if (isDenied && !login.isTold) {
      login.isTold = true;
      this.#options.onError?.(rejected(login.server));
    }
    return { kind: "shut", isReached: isDenied, retryAfterMs: pauseMs };
  }
}

type Shut = Extract<Entry, { readonly kind: "shut" }>;

export interface AuthorizedSend<T> {
  readonly server: ModelServer;
  /** Whether what is sent is still there for another try. */
  readonly canRepeat: boolean;
  readonly abort: AbortSource | undefined;
  readonly send: (headers: Readonly<Record<string, string>>) => Promise<T>;
  /** For an answer 401: lets go of it. */
  readonly denied: (result: T) => (() => void) | undefined;
}

/**
 * Sends with what the server asks for. After a 401 nothing was done: where the payload is still there, it is sent once
 * more with a new login. A 401 that is given back is the last word.
 */
export async function sendAuthorized<T extends { readonly kind: string }>(
  logins: CmsLogins,
  { server, canRepeat, abort, send, denied }: AuthorizedSend<T>,
): Promise<T | Shut> {
  for (let isFirst = true; ; isFirst = false) {
    const entering = logins.enter(server, abort);
    const entry = entering instanceof Promise ? await entering : entering;
    if (entry.kind === "shut") return entry;
    const result = await send(entry.headers);
    if (!entry.isOwn) return result;
    const letGo = denied(result);
    if (letGo === undefined) {
      if (result.kind === "answered" || result.kind === "upgraded") logins.accepted(server, entry.headers);
      return result;
    }
    logins.refused(server, entry.headers);
    if (!isFirst || !canRepeat) return result;
    letGo();
  }
}

/** For `denied`, of what the transport gives. */
export function deniedAnswer(result: ExchangeResult): (() => void) | undefined {
  return result.kind === "answered" && result.status === 401 ? () => void result.body.return() : undefined;
}

function unlessAborted<T>(promise: Promise<T>, abort: AbortSource): Promise<T> {
  return new Promise((resolve, reject) => {
    if (abort.aborted) reject(abort.reason);
    const stopListening = abort.onAbort(() => reject(abort.reason));
    promise.then(resolve, reject).finally(stopListening);
  });
}

function rejected(server: string): GatewayError {
  return new GatewayError(
    "SERVER_REJECTED",
    `server "${server}" does not accept the credentials that it is given; what is for it waits`,
    { details: { server } },
  );
}
