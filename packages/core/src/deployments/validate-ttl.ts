import type { ManualPolicy } from "./api.ts";
import { checkDuration, refusal } from "./validate.ts";

const DAY_MS = 86_400_000;

/**
 * How long a deployment that a person asked for lives; `undefined` for ever. Of a refusal `details.rule` tells which
 * rule was broken: `not-allowed`, `maximum` (with `details.maxTtlMs`) or `range`.
 */
export function checkTtl(ttlMs: number | null | undefined, policy: ManualPolicy = {}): number | undefined {
  const { maxTtlMs, allowsTtl = true } = policy;
  if (ttlMs === undefined) {
    const standard = policy.ttlMs === undefined ? DAY_MS : (policy.ttlMs ?? maxTtlMs);
    return standard === undefined || maxTtlMs === undefined ? standard : Math.min(standard, maxTtlMs);
  }
  if (!allowsTtl) {
    throw refusal("ttlMs", "may not be chosen here; leave it out", { rule: "not-allowed" });
  }
  if (maxTtlMs !== undefined && (ttlMs === null || ttlMs > maxTtlMs)) {
    throw refusal("ttlMs", `is ${ttlMs ?? "for ever"}; at most ${maxTtlMs} is allowed`, {
      rule: "maximum",
      maxTtlMs,
    });
  }
  return ttlMs === null ? undefined : checkDuration("ttlMs", ttlMs);
}
