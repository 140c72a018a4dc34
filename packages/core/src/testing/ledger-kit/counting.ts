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
import { accepted, elapse, read } from "../support/checks.ts";
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
  const counts = lanes.map(({ model, waiting, waitingBytes }) => ({ model, waiting, waitingBytes }));
  return { lanes: counts.sort((a, b) => (a.model < b.model ? -1 : 1)), scheduled, running };
}

/** The first ranks of the lanes in which something waits. */
function firstRanks({ lanes }: LedgerStats): Record<string, number | undefined> {
  return Object.fromEntries(lanes.map(({ model, firstRank }) => [model, firstRank]));
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
  {
    name: "a lane tells the lowest rank of what could be granted next, and none while all of it is delayed",
    async run(fixture) {
      const [ledger, other] = await pairOf(fixture);
      const runner = new KitRunner(ledger);
      const check = async (what: string, expected: Record<string, number | undefined>): Promise<void> => {
        for (const client of [ledger, other])
          assert.deepEqual(firstRanks(await client.stats()), expected, `after ${what}`);
      };
      const [a, b, c, d] = accepted(
        await ledger.submit([
          newTask("a"),
          newTask("b", { priority: 9 }),
          newTraining("c", { priority: 10 }),
          newTask("d", { model: "n" }),
        ]),
      ).map(({ rank }) => rank);
      await check("a submit", { m: c, n: d });
      const [amended] = await ledger.amend([
        { kind: "reprioritise", id: "a", priority: 10, boostMs: 4_000_000 },
      ]);
      assert.notEqual(amended?.task?.rank, a);
      await check("a better priority", { m: amended?.task?.rank, n: d });
      await ledger.amend([{ kind: "cancel", id: "a" }]);
      await check("a cancel", { m: c, n: d });
      await runner.grant(wantOf("s", { max: 0 }));
      await check("a grant of background work", { m: b, n: d });
      const grant = await runner.grant(wantOf("s", { max: 1 }));
      await check("a grant", { n: d });
      await runner.settle(returned(grant, { delayMs: LONG_MS }));
      await check("a hand-back with a delay", { m: undefined, n: d });
      const [later] = accepted(await ledger.submit([newTask("later", { priority: 0 })]));
      await check("another submit", { m: later?.rank, n: d });

      await ledger.amend([{ kind: "cancel", id: "b" }]);
      const slow = await runner.grant(wantOf("t", { max: 1, models: ["n"] }));
      await runner.settle(returned(slow, { delayMs: SHORT_MS }));
      await elapse(fixture, SHORT_MS);
      // Nobody exchanges for a lane that has no server.
      const { rank: due } = await read(ledger, "d");
      await check("the end of a delay", { m: later?.rank, n: due });
      await sweepAll(other);
      await check("a sweep", { m: later?.rank, n: due });
      await runner.grant(wantOf("t", { max: 1, models: ["n"] }));
      await check("a grant of what was delayed", { m: later?.rank });
      await sweepAll(ledger, { unserved: ["m"] });
      await check("the end of the lane", {});
    },
  },
];
