import type { Settlement } from "../contracts/ledger.ts";
import type { Attempt } from "./attempt.ts";

/** Hands back a grant that was never begun. */
export function unbegun(attempt: Attempt): Settlement {
  if (attempt.grant.kind === "recover") return { ...attempt.ref(), kind: "abandoned" };
  return { ...attempt.ref(), kind: "returned", counts: false, delayMs: 0, releaseHold: true };
}
