import { createHmac, timingSafeEqual } from "node:crypto";

/** Whom fastapi-users, by which CMS knows its users, makes its tokens for. */
const audience = "fastapi-users:auth";
const header = encode({ alg: "HS256", typ: "JWT" });

/** A JSON Web Token for a user, that says until when it holds. */
export function makeToken(user: string, lifetimeMs: number, secret: Buffer): string {
  const exp = Math.floor((Date.now() + lifetimeMs) / 1_000);
  const unsigned = `${header}.${encode({ sub: user, aud: [audience], exp })}`;
  return `${unsigned}.${sign(unsigned, secret)}`;
}

/** The user of a token that is ours and still holds. */
export function userOfToken(token: string, secret: Buffer): string | undefined {
  const [head, payload, signature, ...more] = token.split(".");
  if (head !== header || payload === undefined || signature === undefined || more.length > 0)
    return undefined;
  if (!isSame(signature, sign(`${head}.${payload}`, secret))) return undefined;
  const { sub, aud, exp } = JSON.parse(Buffer.from(payload, "base64url").toString("utf8")) as Claims;
  if (!aud.includes(audience) || exp * 1_000 <= Date.now()) return undefined;
  return sub;
}

interface Claims {
  sub: string;
  aud: string[];
  exp: number;
}

export function isSame(given: string, expected: string): boolean {
  const [a, b] = [Buffer.from(given), Buffer.from(expected)];
  return a.length === b.length && timingSafeEqual(a, b);
}

function sign(unsigned: string, secret: Buffer): string {
  return createHmac("sha256", secret).update(unsigned).digest("base64url");
}

function encode(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString("base64url");
}
