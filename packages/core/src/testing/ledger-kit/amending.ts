import assert from "node:assert/strict";
import {
  cancelled,
  LONG_MS,
  newTask,
  refOf,
  returned,
  running,
  SHORT_MS,
  sent,
  succeeded,
  wantOf,
} from "../support/builders.ts";
import { elapse, matches, plain, read } from "../support/checks.ts";
import { brief, KitRunner } from "../support/kit-runner.ts";
import { type LedgerTest, pairOf } from "./fixture.ts";

function reprioritise(id: string, priority: number, boostMs = 3_600_000) {
  return { kind: "reprioritise", id, priority, boostMs } as const;
}

export const amending: readonly LedgerTest[] = [
  {
    name: "a waiting task that is cancelled ends at once and is not granted any more",
    async run(fixture) {
      const [ledger, other] = await pairOf(fixture);
      await ledger.submit([newTask("a")]);
      const [amended] = await other.amend([{ kind: "cancel", id: "a" }]);
      assert.equal(amended?.outcome, "done");
      for (const task of [amended?.task, await read(ledger, "a")]) {
        matches(task, { state: "cancelled", endedBy: "ledger", attempt: 0 }, "the task");
        assert.ok(task?.finishedAtMs !== undefined);
      }
      assert.deepEqual(await new KitRunner(ledger).grants(wantOf("s")), []);
    },
  },
  {
    name: "the holder of a task is told by each exchange that somebody wants it cancelled",
    async run(fixture) {
      const [ledger, other] = await pairOf(fixture);
      const runner = new KitRunner(ledger);
      await ledger.submit([newTask("a")]);
      const grant = await runner.grant(wantOf("s"));
      const [amended] = await other.amend([{ kind: "cancel", id: "a" }]);
      assert.equal(amended?.outcome, "requested");
      matches(amended?.task, { state: "scheduled", attempt: 1 }, "the task");
      assert.ok(amended?.task?.cancelRequestedAtMs !== undefined);
      const renew = [{ ...refOf(grant), sent: false }];
      const { renewed, settled } = await runner.exchange({ renew, settle: [sent(grant), running(grant)] });
      const told = { outcome: "cancel_requested" };
      assert.deepEqual([renewed, settled], [[told], [told, told]]);
      assert.deepEqual(await runner.settle(cancelled(grant)), ["accepted"]);
      assert.equal((await read(ledger, "a")).state, "cancelled");
    },
  },
  {
    name: "what has ended is too late to be amended, and stays as it is",
    async run({ ledger }) {
      const runner = new KitRunner(ledger);
      await ledger.submit([newTask("a")]);
      await runner.settle(succeeded(await runner.grant(wantOf("s"))));
      const before = plain(await read(ledger, "a"));
      const amended = await ledger.amend([{ kind: "cancel", id: "a" }, reprioritise("a", 9)]);
      for (const { outcome, task } of amended) {
        assert.equal(outcome, "too_late");
        assert.deepEqual(plain(task), before);
      }
      assert.deepEqual(plain(await read(ledger, "a")), before);
    },
  },
  {
    name: "a new priority comes too late once the task has started",
    async run({ ledger }) {
      const runner = new KitRunner(ledger);
      await ledger.submit([newTask("a")]);
      await runner.grant(wantOf("s"));
      const { priority, rank } = await read(ledger, "a");
      const [amended] = await ledger.amend([reprioritise("a", 9)]);
      assert.equal(amended?.outcome, "too_late");
      matches(await read(ledger, "a"), { priority, rank, state: "scheduled" }, "the task");
    },
  },
  {
    name: "each amendment gets its outcome, in order, also for a task that is not there",
    async run({ ledger }) {
      await ledger.submit([newTask("a"), newTask("b")]);
      const wishes = [
        reprioritise("ghost", 1),
        reprioritise("b", 1),
        { kind: "cancel", id: "ghost" } as const,
      ];
      const amended = await ledger.amend([...wishes, { kind: "cancel", id: "a" }]);
      assert.deepEqual(
        amended.map(({ outcome, task }) => [outcome, task?.id]),
        [
          ["unknown", undefined],
          ["done", "b"],
          ["unknown", undefined],
          ["done", "a"],
        ],
      );
    },
  },
  {
    name: "a new priority gives a waiting task a new rank and the place that goes with it",
    async run(fixture) {
      const { ledger } = fixture;
      await ledger.submit([newTask("a")]);
      await elapse(fixture, 5);
      await ledger.submit([newTask("b")]);
      const [amended] = await ledger.amend([reprioritise("b", 9, 1e6)]);
      assert.equal(amended?.outcome, "done");
      const { createdAtMs } = await read(ledger, "b");
      for (const task of [amended?.task, await read(ledger, "b")])
        matches(task, { state: "pending", priority: 9, rank: createdAtMs - 9e6 }, "the task");
      await ledger.amend([reprioritise("a", 0, 1e6)]);
      if (ledger.capabilities.order !== "exact") return;
      const first = await new KitRunner(ledger).grants(wantOf("s", { max: 1 }));
      assert.deepEqual(brief(first), ["b@s#1"]);
    },
  },
  {
    name: "a new priority does not end the delay of a task that was handed back",
    async run({ ledger }) {
      const runner = new KitRunner(ledger);
      await ledger.submit([newTask("a")]);
      await runner.settle(returned(await runner.grant(wantOf("s")), { delayMs: LONG_MS }));
      const [amended] = await ledger.amend([reprioritise("a", 10)]);
      assert.equal(amended?.outcome, "done");
      assert.deepEqual(await runner.grants(wantOf("s")), []);
    },
  },
  {
    name: "an amendment that is repeated changes nothing more",
    async run(fixture) {
      const { ledger } = fixture;
      await ledger.submit([
        newTask("held"),
        newTask("waits", { model: "n" }),
        newTask("ends", { model: "n" }),
      ]);
      await new KitRunner(ledger).grant(wantOf("s"));
      const wishes = [
        { kind: "cancel", id: "held" } as const,
        reprioritise("waits", 7),
        { kind: "cancel", id: "ends" } as const,
      ];
      const first = await ledger.amend(wishes);
      await elapse(fixture, SHORT_MS);
      const again = await ledger.amend(wishes);
      assert.deepEqual([again[0]?.outcome, again[1]?.outcome], ["requested", "done"]);
      assert.deepEqual(plain(again.map(({ task }) => task)), plain(first.map(({ task }) => task)));
    },
  },
  {
    name: "a task that is cancelled while it is granted either was granted before and goes on, or never is",
    async run(fixture) {
      const [ledger, other] = await pairOf(fixture);
      const ids = Array.from({ length: 30 }, (_, at) => `t${at}`);
      await ledger.submit(ids.map((id) => newTask(id)));
      const runner = new KitRunner(ledger);
      const granted = new Set<string>();
      const outcomes: (string | undefined)[] = [];
      for (let round = 0; round < 10; round += 1) {
        const wishes = ids.slice(3 * round, 3 * round + 3).map((id) => ({ kind: "cancel", id }) as const);
        const [grants, amended] = await Promise.all([
          runner.grants(wantOf(`s${round}`, { limit: 2, max: 2 })),
          other.amend(wishes),
        ]);
        for (const { task } of grants) granted.add(task.id);
        outcomes.push(...amended.map(({ outcome }) => outcome));
      }
      for (const [at, id] of ids.entries())
        assert.equal(outcomes[at], granted.has(id) ? "requested" : "done", `the cancel of ${id}`);
    },
  },
];
