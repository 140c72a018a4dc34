import { describe, expect, it } from "vitest";
import { composeLedger } from "../../src/composed-ledger/compose-ledger.ts";
import { memoryLedger } from "../../src/memory/ledger.ts";
import { memoryQueue } from "../../src/memory/queue.ts";
import { memoryTaskStore } from "../../src/memory/task-store.ts";
import { ManualClock } from "../discovery/manual-clock.ts";
import { seeded } from "../support/tasks.ts";
import { SameCalls } from "./same-calls.ts";

const SEEDS = 60;
const STEPS = 250;

describe("a composed ledger and a native one", () => {
  it("answer the same calls alike", async () => {
    const totals: Record<string, number> = {};
    for (let seed = 1; seed <= SEEDS; seed += 1) {
      const clock = new ManualClock();
      const queue = memoryQueue({ clock });
      const composed = composeLedger(memoryTaskStore({ clock, random: seeded(seed) }), queue, {
        clock,
        pageSize: 7,
      });
      const oracle = memoryLedger({ clock, random: seeded(seed) });
      let steps = 0;
      const calls = new SameCalls({
        ...{ oracle, composed, queue, clock, random: seeded(1000 + seed) },
        expectSame: (told, expected, what) =>
          expect(told, `seed ${seed}, step ${steps}: ${what}`).toEqual(expected),
      });
      for (; steps < STEPS; steps += 1) await calls.step();
      await calls.compareRecords();
      for (const [name, count] of Object.entries(calls.counts)) totals[name] = (totals[name] ?? 0) + count;
    }
    // An empty comparison must not pass.
    for (const name of ["submit", "exchange", "grants", "lost reply", "amend", "sweep", "queue lost"]) {
      expect(totals[name], name).toBeGreaterThan(SEEDS);
    }
  });
});
