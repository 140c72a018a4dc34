import { type ByteRange, GatewayError } from "@modelgate/core";

const KEY = /^[A-Za-z0-9_./-]{1,512}$/;

export function requireKey(key: string): void {
  const isKey = KEY.test(key) && key.split("/").every((part) => !["", ".", ".."].includes(part));
  if (isKey) return;
  throw new GatewayError(
    "INVALID_REQUEST",
    "key must be 1 to 512 characters of A-Z, a-z, 0-9, _, ., / and -, without empty, . or .. parts",
    { details: { field: "key" } },
  );
}

/** From where, and to before where, a range of an object is read. */
export function boundsOf(range: ByteRange | undefined, sizeBytes: number): { start: number; end: number } {
  if (range === undefined) return { start: 0, end: sizeBytes };
  const { start, end = sizeBytes - 1 } = range;
  if (Number.isInteger(start) && start >= 0 && start < sizeBytes && end >= start) {
    return { start, end: Math.min(end + 1, sizeBytes) };
  }
  throw new GatewayError("INVALID_REQUEST", `range must begin within the object's ${sizeBytes} bytes`, {
    details: { field: "range", sizeBytes },
  });
}
