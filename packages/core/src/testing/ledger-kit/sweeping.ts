import assert from "node:assert/strict";
import type { TaskRecord } from "../../contracts/task.ts";
import { LONG_MS, newTask, newTraining, returned, SHORT_MS, wantOf } from "../support/builders.ts";
import { elapse, matches, read, sorted } from "../support/checks.ts";
import { KitRunner } from "../support/kit-runner.ts";
import { clientsOf, type LedgerTest, sweepAll } from "./fixture.ts";

function idsOf(tasks: readonly TaskRecord[]): string[] {
  return sorted(tasks.map(({ id }) => id));
}

export const sweeping: readonly LedgerTest[] = [
  {
    name: "a task that waits longer than allowed fails with WAIT_DEADLINE, and only if it waits",
    async run(fixture) {
      const { ledger } = fixture;
      const runner = new KitRunner(ledger);
      await ledger.submit(["held", "delayed"].map((id) => newTask(id, { waitMs: SHORT_MS })));
      for (const grant of await runner.grants(wantOf("s")))
        if (grant.task.id === "delayed") await runner.settle(returned(grant, { delayMs: LONG_MS }));
      await ledger.submit([newTask("late", { waitMs: SHORT_MS }), newTask("patient")]);
      await elapse(fixture, SHORT_MS);
      const { ended } = await sweepAll(ledger);
      assert.deepEqual(idsOf(ended), ["delayed", "late"]);
      for (const task of [...ended, await read(ledger, "late")]) {
        matches(task, { state: "failed", endedBy: "ledger" }, task.id);
        assert.equal(task.error?.code, "WAIT_DEADLINE");
        assert.ok(task.finishedAtMs !== undefined);
      }
      assert.equal((await read(ledger, "held")).state, "scheduled");
      assert.equal((await read(ledger, "patient")).state, "pending");
    },
  },
  {
    name: "what waits in a lane without a server fails with NO_SERVER, and only in such a lane",
    async run({ ledger }) {
      const runner = new KitRunner(ledger);
      const lane = { model: "n" };
      await ledger.submit(["held", "delayed"].map((id) => newTask(id, lane)));
      for (const grant of await runner.grants(wantOf("s", { models: ["n"] })))
        if (grant.task.id === "delayed") await runner.settle(returned(grant, { delayMs: LONG_MS }));
      await ledger.submit([newTask("waits", lane), newTraining("train", lane), newTask("served")]);
      const { ended } = await sweepAll(ledger, { unserved: ["n", "unknown"] });
      assert.deepEqual(idsOf(ended), ["delayed", "train", "waits"]);
      for (const task of [...ended, await read(ledger, "waits")]) {
        matches(task, { state: "failed", endedBy: "ledger" }, task.id);
        assert.equal(task.error?.code, "NO_SERVER");
      }
      assert.equal((await read(ledger, "held")).state, "scheduled");
      assert.equal((await read(ledger, "served")).state, "pending");
    },
  },
  {
    name: "a sweep changes no more tasks than its limit, and says so until nothing is left",
    async run({ ledger }) {
      const ids = Array.from({ length: 10 }, (_, at) => `t${at}`);
      await ledger.submit(ids.map((id) => newTask(id, { model: "n" })));
      const ended: string[] = [];
      for (let more = true; more; ) {
        const reply = await ledger.sweep({ limit: 4, unserved: ["n"] });
        assert.ok(reply.ended.length <= 4, `${reply.ended.length} tasks were ended; the limit is 4`);
        assert.ok(reply.ended.length > 0 || !reply.more || ended.length < 10, "there is no more");
        ended.push(...reply.ended.map(({ id }) => id));
        more = reply.more;
      }
      assert.deepEqual(ended.sort(), ids);
    },
  },
  {
    name: "several clients may sweep at once: each change is made once and told to one of them",
    async run(fixture) {
      const clients = await clientsOf(fixture, 3);
      const { ledger } = fixture;
      const lost = Array.from({ length: 20 }, (_, at) => `lost-${at}`);
      const late = Array.from({ length: 20 }, (_, at) => `late-${at}`);
      await ledger.submit(lost.map((id) => newTask(id)));
      const want = [wantOf("s", { limit: 99, max: 99 })];
      await new KitRunner(ledger).exchange({ want, leaseMs: SHORT_MS });
      await ledger.submit(late.map((id) => newTask(id, { waitMs: SHORT_MS })));
      await elapse(fixture, SHORT_MS);
      const replies = await Promise.all([...clients, ...clients].map((client) => sweepAll(client)));
      assert.deepEqual(idsOf(replies.flatMap(({ returned: tasks }) => tasks)), lost.sort());
      assert.deepEqual(idsOf(replies.flatMap(({ ended }) => ended)), late.sort());
      for (const id of lost) assert.equal((await read(ledger, id)).lostAttempts, 1, id);
    },
  },
];
