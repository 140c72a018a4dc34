import assert from "node:assert/strict";
import type { LedgerStats } from "../../contracts/ledger.ts";
import {
  abandoned,
  LONG_MS,
  newTask,
  newTraining,
  returned,
  running,
  SHORT_MS,
  succeeded,
  wantOf,
} from "../support/builders.ts";
import { elapse } from "../support/checks.ts";
import { KitRunner } from "../support/kit-runner.ts";
import { type LedgerTest, pairOf, sweepAll } from "./fixture.ts";

type Lane = readonly [model: string, waiting: number, waitingBytes: number];

function statsOf(scheduled: number, running: number, ...lanes: Lane[]): LedgerStats {
  return {
    lanes: lanes.map(([model, waiting, waitingBytes]) => ({ model, waiting, waitingBytes })),
    scheduled,
    running,
  };
}

function byModel({ lanes, scheduled, running }: LedgerStats): LedgerStats {
  return { lanes: [...lanes].sort((a, b) => (a.model < b.model ? -1 : 1)), scheduled, running };
}

export const counting: readonly LedgerTest[] = [
  {
    name: "the counts of lanes and of held tasks are exact after every change",
    async run(fixture) {
      const [ledger, other] = await pairOf(fixture);
      const runner = new KitRunner(ledger);
      const check = async (what: string, expected: LedgerStats): Promise<void> => {
        for (const client of [ledger, other])
          assert.deepEqual(byModel(await client.stats()), expected, `after ${what}`);
      };
      await check("nothing", statsOf(0, 0));
      const object = { sizeBytes: 1_000_000, key: "object" };
      await ledger.submit([
        newTask("a"),
        newTask("b", { payload: object }),
        newTraining("c", { model: "n" }),
      ]);
      await ledger.submit([newTask("a"), newTask("no good id")]);
      await check("a submit", statsOf(0, 0, ["m", 2, 1_000_002], ["n", 1, 2]));
      const want = wantOf("s", { models: ["m", "n"] });
      const grants = await runner.grants(want);
      await check("grants", statsOf(3, 0));
      const [a, b, c] = ["a", "b", "c"].map((id) => grants.find(({ task }) => task.id === id));
      assert.ok(a !== undefined && b !== undefined && c !== undefined);
      await runner.settle(running(c), returned(b, { delayMs: LONG_MS }));
      await check("a hand-back and a run", statsOf(1, 1, ["m", 1, 1_000_000]));
      await runner.settle(succeeded(a), abandoned(c));
      await check("an ending and an abandoned run", statsOf(0, 1, ["m", 1, 1_000_000]));
      const [again] = (await runner.exchange({ recover: 1 })).grants;
      assert.ok(again !== undefined);
      await check("a recovery", statsOf(0, 1, ["m", 1, 1_000_000]));
      await ledger.amend([{ kind: "cancel", id: "b" }]);
      await check("a cancel", statsOf(0, 1));
      await ledger.submit([newTask("d"), ...["e", "f"].map((id) => newTask(id, { model: "x" }))]);
      await ledger.amend([{ kind: "cancel", id: "f" }]);
      await runner.exchange({ settle: [succeeded(again)], want: [wantOf("s")], leaseMs: SHORT_MS });
      await check("a grant", statsOf(1, 0, ["x", 1, 2]));
      await elapse(fixture, SHORT_MS);
      await sweepAll(other, { unserved: ["x"] });
      await check("a sweep", statsOf(0, 0, ["m", 1, 2]));
    },
  },
];
