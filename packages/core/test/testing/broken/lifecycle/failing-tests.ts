import { afterAll, beforeAll, expect, it } from "vitest";
import { patience } from "../../../../src/testing/checks/waiting.ts";
import { type Kit, type KitFixture, type KitTest, runKitTest } from "../../../../src/testing/kit/kit.ts";

/** An adapter that keeps every rule of its contract but one. */
export interface PlantedFault<Fixture extends KitFixture> {
  readonly fault: string;
  /** The name of the one test that must fail. */
  readonly breaks: string;
  readonly open: () => Fixture | Promise<Fixture>;
}

export interface FindOptions {
  /** Names of tests that measure something of the whole process: nothing runs beside them. */
  readonly alone?: readonly string[] | undefined;
}

/** Much of a kit's time is waiting for what must not happen, which may go on side by side. */
const AT_ONCE = 10;

/** Runs the whole kit against each broken adapter. A test that fails beside the right one names the wrong rule. */
export function expectFaultsFound<Fixture extends KitFixture>(
  kit: Kit<Fixture>,
  faults: readonly PlantedFault<Fixture>[],
  { alone = [] }: FindOptions = {},
): void {
  const usualMs = patience.ms;
  beforeAll(() => {
    patience.ms = 3000;
  });
  afterAll(() => {
    patience.ms = usualMs;
  });
  for (const { fault, breaks, open } of faults) {
    const run = alone.length > 0 ? it : it.concurrent;
    run(`finds an adapter that ${fault}`, { timeout: 120_000 }, async () => {
      const failed = await failingTests(
        kit.tests.filter(({ name }) => !alone.includes(name)),
        open,
        AT_ONCE,
      );
      const measuring = kit.tests.filter(({ name }) => alone.includes(name));
      failed.push(...(await failingTests(measuring, open, 1)));
      expect(failed).toEqual([breaks]);
    });
  }
}

async function failingTests<Fixture extends KitFixture>(
  tests: readonly KitTest<Fixture>[],
  open: () => Fixture | Promise<Fixture>,
  atOnce: number,
): Promise<string[]> {
  const failed: string[] = [];
  const rest = [...tests];
  const runRest = async (): Promise<void> => {
    for (let test = rest.shift(); test !== undefined; test = rest.shift()) {
      const { name } = test;
      await runKitTest(test, open).catch(() => failed.push(name));
    }
  };
  await Promise.all(Array.from({ length: atOnce }, runRest));
  return failed;
}
