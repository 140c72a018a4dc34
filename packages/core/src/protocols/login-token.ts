import { field, parseJson } from "./bounded-read.ts";

/** A token is renewed so long before its end, so that no request meets the end on its way. */
const MARGIN_MS = 30_000;

/** Until when to use a token, by our clock: what a JSON web token says of itself, else for ever. */
export function expiresAtMs(token: string, nowMs: number): number {
  const claims = token.split(".")[1];
  const exp = field(claims === undefined ? undefined : parseJson(Buffer.from(claims, "base64url")), "exp");
  const endMs = typeof exp === "number" ? exp * 1000 - MARGIN_MS : Number.POSITIVE_INFINITY;
  // One that seems to be over at its beginning was made by a clock that goes wrong; then only a 401 tells.
  return endMs > nowMs ? endMs : Number.POSITIVE_INFINITY;
}
