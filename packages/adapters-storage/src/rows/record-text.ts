import { GatewayError, type JsonValue } from "@modelgate/core";
import { isStorable } from "./storable.ts";

const MOST_BYTES = 256 * 1024;

/** A record's value as it is kept. Throws `INVALID_REQUEST`. */
export function recordText(value: JsonValue): string {
  const text = JSON.stringify(value) as string | undefined;
  if (text !== undefined && Buffer.byteLength(text) <= MOST_BYTES) return text;
  throw new GatewayError("INVALID_REQUEST", `value must be JSON of at most ${MOST_BYTES} bytes`, {
    details: { field: "value" },
  });
}

/** A key, or the beginning of one, that a row can hold. Throws `INVALID_REQUEST` for any other. */
export function requireKey(key: string): string {
  if (isStorable(key)) return key;
  throw new GatewayError("INVALID_REQUEST", "key holds a character that cannot be stored", {
    details: { field: "key" },
  });
}
