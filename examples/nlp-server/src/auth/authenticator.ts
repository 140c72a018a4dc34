import { createHash, randomBytes } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { isSame, makeToken, userOfToken } from "./tokens.ts";

export interface AuthOptions {
  /** Names and passwords of those who may use the server. */
  users: Readonly<Record<string, string>>;
  /** Signs the tokens. Default: a new one for each server, so that a restart ends all of them. */
  secret?: string | undefined;
  /** How long a token holds; whole seconds. Default 3600000. */
  lifetimeMs?: number | undefined;
}

const cookieName = "fastapiusersauth";

/** Who may use the server, and how they show that they are it. */
export class Authenticator {
  readonly #digests: ReadonlyMap<string, string>;
  readonly #lifetimeMs: number;
  #secret: Buffer;

  constructor({ users, secret, lifetimeMs = 3_600_000 }: AuthOptions) {
    this.#digests = new Map(Object.entries(users).map(([name, password]) => [name, digestOf(password)]));
    this.#secret = secret === undefined ? randomBytes(32) : Buffer.from(secret);
    this.#lifetimeMs = lifetimeMs;
  }

  /** A token for whoever knows the password. */
  logIn(name: string, password: string): string | undefined {
    const isRight = isSame(digestOf(password), this.#digests.get(name) ?? "");
    return isRight ? makeToken(name, this.#lifetimeMs, this.#secret) : undefined;
  }

  /** Who sends a request, by its bearer token or its cookie. */
  userOf({ headers }: IncomingMessage): string | undefined {
    const bearer = /^Bearer\s+(\S+)\s*$/i.exec(headers.authorization ?? "")?.[1];
    const token = bearer ?? cookieIn(headers.cookie ?? "");
    const user = token === undefined ? undefined : userOfToken(token, this.#secret);
    return user !== undefined && this.#digests.has(user) ? user : undefined;
  }

  /** No token of before holds any more. */
  revokeTokens(): void {
    this.#secret = randomBytes(32);
  }

  cookieOf(token: string): string {
    return this.#cookie(token, Math.floor(this.#lifetimeMs / 1_000));
  }

  noCookie(): string {
    return this.#cookie('""', 0);
  }

  #cookie(value: string, seconds: number): string {
    return `${cookieName}=${value}; HttpOnly; Max-Age=${seconds}; Path=/; SameSite=lax; Secure`;
  }
}

function cookieIn(header: string): string | undefined {
  for (const pair of header.split(";")) {
    const [name, value] = pair.trim().split("=", 2);
    if (name === cookieName) return value;
  }
  return undefined;
}

function digestOf(password: string): string {
  return createHash("sha256").update(password).digest("hex");
}
