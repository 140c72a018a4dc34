import type { GatewayErrorCode } from "@modelgate/core";
import { isFinalField } from "./store-failure.ts";

/** What stood in the way of an inspection. */
export interface BrokerProblem {
  readonly code: GatewayErrorCode;
  readonly message: string;
  /** The option that is wrong, where that can be told. */
  readonly field: string | undefined;
}

/** Whether waiting may mend it: nobody answers, a failover is under way, memory or disk are full. */
export function isPassingProblem({ code, field }: BrokerProblem): boolean {
  return (code === "STORE_UNAVAILABLE" || code === "STORE_FULL") && !isFinalField(field);
}
