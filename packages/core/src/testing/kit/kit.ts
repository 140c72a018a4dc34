/** What a kit needs of a test runner: vitest, jest, mocha and `node:test` all have it. */
export interface TestRunner {
  describe(title: string, body: () => void): void;
  /** The third argument is ignored by runners that keep their time limits elsewhere. */
  it(title: string, body: () => Promise<void>, timeoutMs?: number): void;
}

/** One rule of a contract, as a test. */
export interface KitTest<Fixture> {
  /** Names the rule in a sentence; unique in its kit, and the same in every release. */
  readonly name: string;
  /** Why the test does not concern this subject, or `undefined` when it does. */
  readonly leaveOut?: ((fixture: Fixture) => string | undefined) | undefined;
  /** For tests that take longer than others. Default 30,000. */
  readonly timeoutMs?: number | undefined;
  /** Rejects with an `AssertionError` when the rule does not hold. */
  run(fixture: Fixture): Promise<void>;
}

/** What a test works on. Made anew for each, so that tests neither see nor disturb each other. */
export interface KitFixture {
  /** Ends everything that this fixture opened, also what a test left open. */
  close(): Promise<void>;
}

/** The tests of one contract. */
export interface Kit<Fixture extends KitFixture> {
  /** The contract's name. */
  readonly contract: string;
  readonly tests: readonly KitTest<Fixture>[];
}

const DEFAULT_TIMEOUT_MS = 30_000;

/**
 * Registers the kit's tests with a runner: `describeKit({ describe, it }, ledgerKit, "my ledger", open)`. `open` makes
 * an empty subject of its own for each test; against a shared server, a schema, bucket or prefix of its own.
 */
export function describeKit<Fixture extends KitFixture>(
  runner: TestRunner,
  kit: Kit<Fixture>,
  subject: string,
  open: () => Promise<Fixture> | Fixture,
): void {
  runner.describe(`${kit.contract}: ${subject}`, () => {
    for (const test of kit.tests) {
      const { timeoutMs = DEFAULT_TIMEOUT_MS } = test;
      const body = async (): Promise<void> => {
        await runKitTest(test, open);
      };
      runner.it(test.name, body, timeoutMs);
    }
  });
}

/** Runs one test outside any runner. Resolves why it was left out, if it was; rejects when the rule does not hold. */
export async function runKitTest<Fixture extends KitFixture>(
  test: KitTest<Fixture>,
  open: () => Promise<Fixture> | Fixture,
): Promise<string | undefined> {
  const fixture = await open();
  try {
    const why = test.leaveOut?.(fixture);
    if (why === undefined) await test.run(fixture);
    return why;
  } finally {
    await fixture.close();
  }
}
