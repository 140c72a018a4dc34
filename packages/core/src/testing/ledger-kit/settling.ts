import assert from "node:assert/strict";
import { setImmediate as nextTurn } from "node:timers/promises";
import type { AttemptRef } from "../../contracts/ledger.ts";
import {
  abandoned,
  cancelled,
  failed,
  newTask,
  newTraining,
  REFUSED,
  RESULT,
  refOf,
  returned,
  running,
  SHORT_MS,
  sent,
  succeeded,
  wantOf,
} from "../support/builders.ts";
import { elapse, matches, plain, read, sameBytes } from "../support/checks.ts";
import { brief, KitRunner } from "../support/kit-runner.ts";
import { type LedgerTest, pairOf } from "./fixture.ts";

export const settling: readonly LedgerTest[] = [
  {
    name: "what was sent is kept with its server, and when it was first said",
    async run(fixture) {
      const { ledger } = fixture;
      const runner = new KitRunner(ledger);
      await ledger.submit([newTask("a")]);
      const grant = await runner.grant(wantOf("s"));
      const said = sent(grant, { server: "t", instance: "two" });
      assert.deepEqual(await runner.settle(said), ["accepted"]);
      const first = await read(ledger, "a");
      matches(first, { state: "scheduled", server: "t", instance: "two" }, "the task");
      assert.ok(first.sentAtMs !== undefined);
      await elapse(fixture, SHORT_MS);
      await runner.settle(said);
      for (const isSent of [true, false])
        await runner.exchange({ renew: [{ ...refOf(grant), sent: isSent }] });
      assert.equal((await read(ledger, "a")).sentAtMs, first.sentAtMs);
    },
  },
  {
    name: "a task that runs at its server has freed its slot and keeps the run's name",
    async run({ ledger }) {
      const runner = new KitRunner(ledger);
      await ledger.submit([newTask("a")]);
      const want = wantOf("s", { limit: 1 });
      const said = running(await runner.grant(want), { runId: "run 1", instance: "two" });
      await ledger.submit([newTask("b")]);
      const { settled, grants } = await runner.exchange({ settle: [said], want: [want] });
      assert.equal(settled[0]?.outcome, "accepted");
      assert.deepEqual(brief(grants), ["b@s#1"]);
      matches(await read(ledger, "a"), { state: "running", runId: "run 1", instance: "two" }, "the task");
    },
  },
  {
    name: "success ends the task with its result",
    async run({ ledger }) {
      const runner = new KitRunner(ledger);
      await ledger.submit([newTask("a")]);
      const grant = await runner.grant(wantOf("s"));
      const { settled, nowMs } = await runner.exchange({ settle: [succeeded(grant)] });
      assert.equal(settled[0]?.outcome, "accepted");
      const ended = await read(ledger, "a");
      matches(ended, { state: "succeeded", finishedAtMs: nowMs, endedBy: "attempt", attempt: 1 }, "the task");
      matches(ended, { holder: undefined, error: undefined }, "the task");
      matches(ended.result, { sizeBytes: RESULT.sizeBytes, status: RESULT.status }, "the result");
    },
  },
  {
    name: "whoever sees that a task has succeeded can read its result",
    async run(fixture) {
      const [ledger, other] = await pairOf(fixture);
      const runner = new KitRunner(ledger);
      const ids = Array.from({ length: 10 }, (_, at) => `t${at}`);
      await ledger.submit(ids.map((id) => newTask(id)));
      let isSettled = false;
      const watch = async (): Promise<void> => {
        while (!isSettled) {
          await nextTurn();
          for (const task of await other.get(ids, { bodies: "result" })) {
            if (task?.state !== "succeeded") continue;
            sameBytes(task.result?.inline, RESULT.inline ?? new Uint8Array(), "the result");
          }
        }
      };
      const settleAll = async (): Promise<void> => {
        for (const grant of await runner.grants(wantOf("s", { limit: 99, max: 99 })))
          await runner.settle(succeeded(grant));
      };
      await Promise.all([watch(), settleAll().finally(() => (isSettled = true))]);
    },
  },
  {
    name: "failure ends the task with its error, and with the server's answer where there was one",
    async run({ ledger }) {
      const runner = new KitRunner(ledger);
      await ledger.submit([newTask("a"), newTask("b")]);
      const grants = await runner.grants(wantOf("s"));
      const settle = grants.map((grant) => failed(grant, grant.task.id === "a" ? { result: RESULT } : {}));
      const { settled, nowMs } = await runner.exchange({ settle });
      assert.deepEqual(settled, [{ outcome: "accepted" }, { outcome: "accepted" }]);
      for (const id of ["a", "b"]) {
        const ended = await read(ledger, id, "result");
        matches(ended, { state: "failed", finishedAtMs: nowMs, endedBy: "attempt", holder: undefined }, id);
        matches(ended.error, REFUSED, "the error");
        if (id === "b") assert.equal(ended.result, undefined);
        else sameBytes(ended.result?.inline, RESULT.inline ?? new Uint8Array(), "the answer");
      }
    },
  },
  {
    name: "cancelled by its holder, a task ends so",
    async run({ ledger }) {
      const runner = new KitRunner(ledger);
      await ledger.submit([newTask("a")]);
      const grant = await runner.grant(wantOf("s"));
      const { settled, nowMs } = await runner.exchange({ settle: [cancelled(grant)] });
      assert.equal(settled[0]?.outcome, "accepted");
      const ended = {
        state: "cancelled",
        finishedAtMs: nowMs,
        endedBy: "attempt",
        holder: undefined,
      } as const;
      matches(await read(ledger, "a"), ended, "the task");
    },
  },
  {
    name: "the same settlement again is accepted and changes nothing",
    async run({ ledger }) {
      const runner = new KitRunner(ledger);
      const kinds = { sent, running, succeeded, failed, cancelled, returned };
      for (const [id, kind] of Object.entries(kinds)) {
        await ledger.submit([newTask(id, { model: id })]);
        const item = kind(await runner.grant(wantOf("s", { models: [id] })));
        assert.deepEqual(await runner.settle(item), ["accepted"], id);
        const before = plain(await read(ledger, id));
        assert.deepEqual(await runner.settle(item), ["accepted"], `${id} again`);
        assert.deepEqual(plain(await read(ledger, id)), before, id);
      }
      await ledger.submit([newTraining("abandoned", { model: "abandoned" })]);
      const grant = await runner.grant(wantOf("s", { models: ["abandoned"] }));
      await runner.settle(running(grant));
      assert.deepEqual(await runner.settle(abandoned(grant)), ["accepted"]);
      assert.deepEqual(await runner.settle(abandoned(grant)), ["accepted"], "abandoned again");
    },
  },
  {
    name: "an ending never changes, whatever its own attempt says afterwards",
    async run({ ledger }) {
      const runner = new KitRunner(ledger);
      const endings = { succeeded, failed, cancelled };
      const kinds = { ...endings, returned, abandoned, sent, running };
      for (const [state, ending] of Object.entries(endings)) {
        await ledger.submit([newTask(state)]);
        const grant = await runner.grant(wantOf("s"));
        await runner.settle(ending(grant));
        const before = plain(await read(ledger, state, "result"));
        const others = Object.entries(kinds).filter(([name]) => name !== state);
        const settle = others.map(([, kind]) => kind(grant));
        const renew = [{ ...refOf(grant), sent: true }];
        const { settled, renewed } = await runner.exchange({ settle, renew });
        for (const outcome of [...settled, ...renewed])
          assert.deepEqual(outcome, { outcome: "stale", attempt: 1, state });
        assert.deepEqual(plain(await read(ledger, state, "result")), before, state);
      }
    },
  },
  {
    name: "each settlement and renewal gets its own outcome, in order, also for what is not there",
    async run({ ledger }) {
      const runner = new KitRunner(ledger);
      await ledger.submit(["a", "b", "c"].map((id) => newTask(id)));
      const [one, other, third] = (await runner.grants(wantOf("s"))).map(refOf);
      assert.ok(one !== undefined && other !== undefined && third !== undefined);
      const ghost = { id: "ghost", attempt: 1 };
      const later = { ...third, attempt: 9 };
      const cancelOf = (ref: AttemptRef) => ({ ...ref, kind: "cancelled", releaseHold: true }) as const;
      const { settled, renewed } = await runner.exchange({
        settle: [one, ghost, later, other].map(cancelOf),
        renew: [ghost, later, third, ghost].map((ref) => ({ ...ref, sent: false })),
      });
      const [unknown, accepted] = [{ outcome: "unknown" }, { outcome: "accepted" }];
      const stale = { outcome: "stale", attempt: 1, state: "scheduled" };
      assert.deepEqual(settled, [accepted, unknown, stale, accepted]);
      assert.deepEqual(renewed, [unknown, stale, accepted, unknown]);
    },
  },
];
