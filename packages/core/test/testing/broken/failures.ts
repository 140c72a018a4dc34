import type { Kit, KitFixture } from "../../../src/testing/kit/kit.ts";
import { runKitTest } from "../../../src/testing/kit/kit.ts";

/** An adapter that is right but for one thing, and the one test that must find it. */
export interface Broken<Fault> {
  /** What is wrong, in one sentence. */
  readonly fault: string;
  readonly caughtBy: string;
  readonly plant: Fault;
  /** The order that it claims. Default `exact`. */
  readonly order?: "exact" | "bands" | undefined;
}

const HANGS_MS = 5_000;

/** The names of the tests that fail for an adapter; what does not end fails too. */
export async function failuresOf<Fixture extends KitFixture>(
  kit: Kit<Fixture>,
  open: () => Fixture,
): Promise<string[]> {
  const failures: string[] = [];
  for (const test of kit.tests) {
    let timer: NodeJS.Timeout | undefined;
    const hangs = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error("it hangs")), HANGS_MS);
    });
    try {
      await Promise.race([runKitTest(test, open), hangs]);
    } catch {
      failures.push(test.name);
    } finally {
      clearTimeout(timer);
    }
  }
  return failures;
}

/** The tests of a kit that no broken adapter has proved. */
export function unprovenOf<Fixture extends KitFixture>(
  kit: Kit<Fixture>,
  broken: readonly Broken<unknown>[],
): string[] {
  const proven = new Set(broken.map(({ caughtBy }) => caughtBy));
  return kit.tests.map(({ name }) => name).filter((name) => !proven.has(name));
}
