import { objectStoreKit, runKitTest } from "@modelgate/core/testing";
import { openFixture } from "./fixture.ts";

/** What became of each rule. */
export interface Proof {
  readonly kept: readonly string[];
  /** Rules that do not concern this store, and why. */
  readonly leftOut: readonly { readonly rule: string; readonly why: string }[];
  readonly broken: readonly { readonly rule: string; readonly error: unknown }[];
}

/** Holds the journal object store against every rule of its contract, without a test runner. */
export async function prove(): Promise<Proof> {
  const kept: string[] = [];
  const leftOut: { rule: string; why: string }[] = [];
  const broken: { rule: string; error: unknown }[] = [];
  for (const test of objectStoreKit.tests) {
    try {
      const why = await runKitTest(test, openFixture);
      if (why === undefined) kept.push(test.name);
      else leftOut.push({ rule: test.name, why });
    } catch (error) {
      broken.push({ rule: test.name, error });
    }
  }
  return { kept, leftOut, broken };
}
