import {
  type Begun,
  beginSequence,
  type LoggedGrant,
  type RunnerCall,
  staleRunner,
} from "../tasks/begin-sequence.ts";

interface RunnerEntry {
  readonly incarnation: string;
  readonly sequence: number;
  readonly granted: LoggedGrant[];
  readonly retired: readonly string[];
}

/** Makes exchanges idempotent: which sequence each runner is at, and what was granted under it. */
export class RunnerLog {
  readonly #runners = new Map<string, RunnerEntry>();

  /** Opens a sequence, or finds it open. Throws `STALE_RUNNER`. */
  begin(call: RunnerCall): Begun {
    const known = this.#runners.get(call.runner);
    const begun = beginSequence(call, known && { ...known, grants: () => known.granted });
    if (begun.repeated) return begun;
    const { incarnation, sequence } = call;
    this.#runners.set(call.runner, { incarnation, sequence, granted: [], retired: begun.retired });
    return begun;
  }

  /** Throws `STALE_RUNNER` unless this sequence is the open one. */
  require(call: Omit<RunnerCall, "acknowledged">): void {
    const known = this.#runners.get(call.runner);
    if (known?.incarnation !== call.incarnation || known.sequence !== call.sequence) throw staleRunner(call);
  }

  record(call: { readonly runner: string }, grants: readonly LoggedGrant[]): void {
    this.#runners.get(call.runner)?.granted.push(...grants);
  }

  grants(call: { readonly runner: string }): readonly LoggedGrant[] {
    return this.#runners.get(call.runner)?.granted ?? [];
  }
}
