import { createHash, timingSafeEqual } from "node:crypto";
import type { RequestView } from "./exchange.ts";

const HEADER = "x-modelgate-key";

/** Tells whether a request carries the key; nobody does when there is none. The time it takes tells nothing of the key. */
export function createKeyCheck(key: string | undefined): (request: RequestView) => boolean {
  if (key === undefined) return () => false;
  const expected = digestOf(key);
  return (request) => {
    const given = request.header(HEADER);
    return given !== undefined && timingSafeEqual(digestOf(given), expected);
  };
}

function digestOf(key: string): Buffer {
  return createHash("sha256").update(key).digest();
}
