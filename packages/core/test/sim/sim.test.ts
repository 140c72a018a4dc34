import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import type { LedgerKind } from "../../sim/scenario.ts";
import { printTimeline, sliceFor } from "../../sim/timeline.ts";
import { type RunOutcome, runSeed } from "../../sim/world.ts";

const SEEDS = 150;
const LEDGERS: readonly LedgerKind[] = ["native", "composed"];

/** Fresh seeds each time; `SIM_SEED` repeats a run from its first. */
const from = Number(process.env["SIM_SEED"] ?? 1 + Math.floor(Math.random() * 2 ** 31));

function storyOf({ scenario, history, violations }: RunOutcome): string {
  const [first] = violations;
  if (first === undefined) return "";
  const slice = printTimeline(sliceFor(history, first, 40));
  return `npm run sim -- --seed ${scenario.seed} --ledger ${scenario.ledger} --trace\n${first.rule}: ${first.message}\n${slice}`;
}

function hashOf({ history }: RunOutcome): string {
  return createHash("sha256").update(JSON.stringify(history)).digest("hex");
}

describe("the simulation", () => {
  it(`breaks no rule in ${SEEDS} fresh worlds on each ledger (SIM_SEED=${from})`, {
    timeout: 120_000,
  }, async () => {
    let faulty = 0;
    for (let seed = from; seed < from + SEEDS; seed++) {
      let isFaulty = false;
      for (const ledger of LEDGERS) {
        const outcome = await runSeed(seed, ledger);
        expect(storyOf(outcome)).toBe("");
        isFaulty ||= Object.keys(outcome.counts.faultsInAttempt).length > 0;
      }
      if (isFaulty) faulty += 1;
    }
    // An empty world proves nothing.
    expect(faulty).toBeGreaterThan(0.9 * SEEDS);
  });

  for (const ledger of LEDGERS) {
    it(`gives the same history for the same seed (${ledger})`, { timeout: 60_000 }, async () => {
      for (let seed = from; seed < from + 5; seed++) {
        const first = hashOf(await runSeed(seed, ledger));
        expect(hashOf(await runSeed(seed, ledger))).toBe(first);
        expect(hashOf(await runSeed(seed + 1_000_000, ledger))).not.toBe(first);
      }
    });
  }
});
