import { createHash } from "node:crypto";
import { type ExchangeRequest, GatewayError } from "@modelgate/core";
import { holderOf } from "@modelgate/core/adapter";
import type { SqlRow } from "../rows/task-row.ts";

export interface LoggedGrant {
  readonly id: string;
  readonly attempt: number;
  readonly kind: "run" | "recover";
}

export interface Begun {
  readonly repeated: boolean;
  /** What was granted under this sequence before. */
  readonly grants: readonly LoggedGrant[];
  /** The holder whose tasks go back at once, because a newer incarnation of its runner is here. */
  readonly replaced?: string | undefined;
  readonly unacknowledged: readonly LoggedGrant[];
  /** Incarnations that were replaced, the latest last. */
  readonly retired: readonly string[];
}

/** Retired incarnations that are remembered for each runner; an older one is long past its leases. */
const REMEMBERED = 16;

/** What a runner's row, if there is one, makes of its call. Throws `STALE_RUNNER`. */
export function beginSequence(call: ExchangeRequest, row: SqlRow): Begun {
  const [incarnation, sequence, grantsJson, retiredJson] = row as readonly [
    string | null,
    number,
    string,
    string,
  ];
  const none = { repeated: false, grants: [], unacknowledged: [] };
  if (incarnation === null) return { ...none, retired: [] };
  const retired = JSON.parse(retiredJson) as string[];
  if (retired.includes(call.incarnation)) throw staleRunner(call);
  if (incarnation !== call.incarnation) {
    const replaced = holderOf({ runner: call.runner, incarnation });
    return { ...none, replaced, retired: [...retired, incarnation].slice(-REMEMBERED) };
  }
  if (call.sequence < sequence) throw staleRunner(call);
  const grants = (JSON.parse(grantsJson) as [string, number, 0 | 1][]).map(
    ([id, attempt, recovers]): LoggedGrant => {
      return { id, attempt, kind: recovers === 1 ? "recover" : "run" };
    },
  );
  if (call.sequence === sequence) return { ...none, repeated: true, grants, retired };
  return { ...none, unacknowledged: call.acknowledged < sequence ? grants : [], retired };
}

function staleRunner(call: ExchangeRequest): GatewayError {
  return new GatewayError(
    "STALE_RUNNER",
    `a newer exchange of runner "${call.runner}" than ${call.sequence} was seen`,
    {
      details: { runner: call.runner, sequence: call.sequence },
    },
  );
}

/** A number for an advisory lock, which has 32 bits with a sign. */
export function lockNumber(...parts: readonly string[]): number {
  return createHash("sha256").update(parts.join("\0")).digest().readInt32BE();
}
