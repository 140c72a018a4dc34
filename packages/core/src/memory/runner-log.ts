import { GatewayError } from "../errors.ts";

/** What was handed to a runner under one sequence. */
export interface LoggedGrant {
  readonly id: string;
  readonly attempt: number;
  readonly kind: "run" | "recover";
}

interface RunnerEntry {
  incarnation: string;
  sequence: number;
  grants: LoggedGrant[];
  /** Incarnations that were replaced, the latest last. */
  retired: string[];
}

/** Retired incarnations that are remembered for each runner; an older one is long past its leases. */
const REMEMBERED = 16;

export interface RunnerCall {
  readonly runner: string;
  readonly incarnation: string;
  readonly sequence: number;
  readonly acknowledged: number;
}

export interface Begun {
  readonly repeated: boolean;
  /** Holders whose tasks go back at once, because a newer incarnation of the same runner is here. */
  readonly replaced?: string | undefined;
  /** Grants whose reply never arrived. */
  readonly unacknowledged: readonly LoggedGrant[];
}

export function holderOf(call: { readonly runner: string; readonly incarnation: string }): string {
  return `${call.runner}/${call.incarnation}`;
}

/** Makes exchanges idempotent: which sequence each runner is at, and what was granted under it. */
export class RunnerLog {
  readonly #runners = new Map<string, RunnerEntry>();

  /** Opens a sequence, or finds it open. Throws `STALE_RUNNER`. */
  begin(call: RunnerCall): Begun {
    const known = this.#runners.get(call.runner);
    if (known === undefined) {
      this.#runners.set(call.runner, {
        incarnation: call.incarnation,
        sequence: call.sequence,
        grants: [],
        retired: [],
      });
      return { repeated: false, unacknowledged: [] };
    }
    if (known.retired.includes(call.incarnation)) throw staleRunner(call);
    if (known.incarnation !== call.incarnation) {
      const replaced = holderOf({ runner: call.runner, incarnation: known.incarnation });
      known.retired = [...known.retired, known.incarnation].slice(-REMEMBERED);
      Object.assign(known, { incarnation: call.incarnation, sequence: call.sequence, grants: [] });
      return { repeated: false, replaced, unacknowledged: [] };
    }
    if (call.sequence < known.sequence) throw staleRunner(call);
    if (call.sequence === known.sequence) return { repeated: true, unacknowledged: [] };
    const unacknowledged = call.acknowledged < known.sequence ? known.grants : [];
    known.sequence = call.sequence;
    known.grants = [];
    return { repeated: false, unacknowledged };
  }

  /** Throws `STALE_RUNNER` unless this sequence is the open one. */
  require(call: Omit<RunnerCall, "acknowledged">): void {
    const known = this.#runners.get(call.runner);
    if (known?.incarnation !== call.incarnation || known.sequence !== call.sequence) throw staleRunner(call);
  }

  record(call: { readonly runner: string }, grants: readonly LoggedGrant[]): void {
    this.#runners.get(call.runner)?.grants.push(...grants);
  }

  grants(call: { readonly runner: string }): readonly LoggedGrant[] {
    return this.#runners.get(call.runner)?.grants ?? [];
  }
}

function staleRunner(call: { readonly runner: string; readonly sequence: number }): GatewayError {
  return new GatewayError(
    "STALE_RUNNER",
    `a newer exchange of runner "${call.runner}" than ${call.sequence} was seen`,
    {
      details: { runner: call.runner, sequence: call.sequence },
    },
  );
}
