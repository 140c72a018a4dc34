import { createHash } from "node:crypto";

/** A number for an advisory lock, which has 32 bits with a sign. */
export function lockNumber(...parts: readonly string[]): number {
  return createHash("sha256").update(parts.join("\0")).digest().readInt32BE();
}
