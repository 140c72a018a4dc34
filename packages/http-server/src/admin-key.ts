import { createHash, timingSafeEqual } from "node:crypto";
import type { RequestView } from "./exchange.ts";

const HEADER = "x-modelgate-key";

type KeyCheck = (request: Pick<RequestView, "header">) => boolean;

/**
 * Tells whether a request carries the key; nobody does when there is none. It may also be the password of basic
 * authentication, under any name: clients that know no such header take that from the gateway's address. The time it
 * takes tells nothing of the key.
 */
export function createKeyCheck(key: string | undefined): KeyCheck {
  if (key === undefined) return () => false;
  const expected = digestOf(key);
  return (request) => {
    const given = request.header(HEADER) ?? passwordOf(request.header("authorization"));
    return given !== undefined && timingSafeEqual(digestOf(given), expected);
  };
}

function passwordOf(authorization: string | undefined): string | undefined {
  const [, encoded] = /^basic +([A-Za-z0-9+/=]+)$/i.exec(authorization ?? "") ?? [];
  if (encoded === undefined) return undefined;
  const [, password] = /^[^:]*:(.*)$/s.exec(Buffer.from(encoded, "base64").toString("utf8")) ?? [];
  return password;
}

function digestOf(key: string): Buffer {
  return createHash("sha256").update(key).digest();
}
