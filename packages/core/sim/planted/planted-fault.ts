import type { RuleName } from "../../src/testing/checker/index.ts";
import type { LedgerKind } from "../scenario.ts";
import type { Wrap } from "../wrap.ts";

/** Replaces one place of the source while it is bundled. White space and trailing commas do not matter in `find`. */
export interface Patch {
  /** Below `packages/core/src`. */
  readonly file: string;
  readonly find: string;
  readonly replace: string;
}

/** A mistake that somebody might make, put in on purpose to see that the judge finds it. */
export interface PlantedFault {
  readonly name: string;
  /** What is wrong, in one sentence. */
  readonly says: string;
  readonly ledgers: readonly LedgerKind[];
  /** Rules of which at least one must be found broken. */
  readonly breaks: readonly RuleName[];
  /** Where it sits inside the core. */
  readonly patches?: readonly Patch[] | undefined;
  /** Where it sits around the core. */
  readonly wrap?: Partial<Wrap> | undefined;
}
