import { GatewayError } from "../errors.ts";

/** What was handed to a runner under one sequence. */
export interface LoggedGrant {
  readonly id: string;
  readonly attempt: number;
  readonly kind: "run" | "recover";
}

/** How an exchange, or what stands for one, is named. */
export interface RunnerCall {
  readonly runner: string;
  readonly incarnation: string;
  readonly sequence: number;
  readonly acknowledged: number;
}

/** What a store remembers of a runner. */
export interface KnownRunner {
  readonly incarnation: string;
  /** The latest that was seen. */
  readonly sequence: number;
  /** What was granted under it; asked for only where that matters. */
  readonly grants: () => readonly LoggedGrant[];
  /** Incarnations that were replaced, the latest last. */
  readonly retired: readonly string[];
}

/** What a call is to a store that may have seen it, or others of its runner, before. */
export interface Begun {
  readonly repeated: boolean;
  /** What was granted under this sequence before. */
  readonly grants: readonly LoggedGrant[];
  /** The holder whose tasks go back at once, because a newer incarnation of its runner is here. */
  readonly replaced?: string | undefined;
  /** Grants whose reply never arrived. */
  readonly unacknowledged: readonly LoggedGrant[];
  /** Incarnations that were replaced, the latest last: to be remembered with the call. */
  readonly retired: readonly string[];
}

/** Retired incarnations that are remembered for each runner; an older one is long past its leases. */
const REMEMBERED = 16;

/** As whom a runner holds tasks. */
export function holderOf(call: { readonly runner: string; readonly incarnation: string }): string {
  return `${call.runner}/${call.incarnation}`;
}

/** Opens a sequence, or finds it open. Every ledger uses it, so that all repeat alike. Throws `STALE_RUNNER`. */
export function beginSequence(call: RunnerCall, known: KnownRunner | undefined): Begun {
  const none = { repeated: false, grants: [], unacknowledged: [] };
  if (known === undefined) return { ...none, retired: [] };
  const { incarnation, sequence, retired } = known;
  if (retired.includes(call.incarnation)) throw staleRunner(call);
  if (incarnation !== call.incarnation) {
    const replaced = holderOf({ runner: call.runner, incarnation });
    return { ...none, replaced, retired: [...retired, incarnation].slice(-REMEMBERED) };
  }
  if (call.sequence < sequence) throw staleRunner(call);
  if (call.sequence === sequence) return { ...none, repeated: true, grants: known.grants(), retired };
  return { ...none, unacknowledged: call.acknowledged < sequence ? known.grants() : [], retired };
}

export function staleRunner(call: { readonly runner: string; readonly sequence: number }): GatewayError {
  return new GatewayError(
    "STALE_RUNNER",
    `a newer exchange of runner "${call.runner}" than ${call.sequence} was seen`,
    {
      details: { runner: call.runner, sequence: call.sequence },
    },
  );
}
