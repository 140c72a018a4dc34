import assert from "node:assert/strict";
import type { TaskError, TaskRecord } from "../../contracts/task.ts";
import { LONG_MS, newTask, newTraining, returned, SHORT_MS, wantOf } from "../support/builders.ts";
import { elapse, matches, plain, read, sorted } from "../support/checks.ts";
import { KitRunner } from "../support/kit-runner.ts";
import { ODD_TEXT } from "../support/samples.ts";
import { clientsOf, type LedgerTest, sweepAll } from "./fixture.ts";

/** As long as an engine's own words may be, and as odd. */
const START_FAILED: TaskError = {
  code: "START_FAILED",
  message: `${ODD_TEXT}\0\ud800`.padEnd(1024, "the end of a log "),
  status: 500,
};

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
    name: "what waits in a lane whose server could not be started fails with the error given for it, and only there",
    async run(fixture) {
      const { ledger } = fixture;
      const [, other = ledger] = await clientsOf(fixture, 2);
      const runner = new KitRunner(ledger);
      const lane = { model: "n" };
      await ledger.submit(["held", "delayed", "back"].map((id) => newTask(id, lane)));
      for (const grant of await runner.grants(wantOf("s", { models: ["n"] }))) {
        const delayMs = grant.task.id === "back" ? 0 : LONG_MS;
        if (grant.task.id !== "held") await runner.settle(returned(grant, { delayMs }));
      }
      await ledger.submit([newTask("waits", lane), newTraining("train", lane), newTask("served")]);
      await ledger.submit([newTask("lonely", { model: "x" }), newTask("other", { model: "o" })]);
      const failing = [
        { model: "n", error: START_FAILED },
        { model: "unknown\0\ud800", error: START_FAILED },
        { model: "o", error: { code: "IMAGE_MISSING", message: "There is no such image." } },
      ];
      const { ended } = await sweepAll(ledger, { unserved: ["n", "x"], failing });
      assert.deepEqual(idsOf(ended), ["back", "delayed", "lonely", "other", "train", "waits"]);
      for (const id of ["back", "delayed", "train", "waits"]) {
        const told = ended.find((task) => task.id === id);
        for (const task of [told, await read(other, id)]) {
          matches(task, { state: "failed", endedBy: "ledger" }, id);
          assert.deepEqual(plain(task?.error), START_FAILED, id);
          assert.ok(task?.finishedAtMs !== undefined);
        }
      }
      assert.equal((await read(ledger, "lonely")).error?.code, "NO_SERVER");
      assert.equal((await read(ledger, "other")).error?.code, "IMAGE_MISSING");
      assert.equal((await read(ledger, "held")).state, "scheduled");
      assert.equal((await read(ledger, "served")).state, "pending");
    },
  },
  {
    name: "a sweep changes no more tasks than its limit, and says so until nothing is left",
    async run({ ledger }) {
      const ids = Array.from({ length: 10 }, (_, at) => `t${at}`);
      for (const part of [
        { unserved: ["n"] },
        { unserved: [], failing: [{ model: "o", error: START_FAILED }] },
      ]) {
        const model = part.unserved[0] ?? "o";
        await ledger.submit(ids.map((id) => newTask(`${model}-${id}`, { model })));
        const ended: string[] = [];
        for (let more = true; more; ) {
          const reply = await ledger.sweep({ limit: 4, ...part });
          assert.ok(reply.ended.length <= 4, `${reply.ended.length} tasks were ended; the limit is 4`);
          assert.ok(reply.ended.length > 0 || !reply.more || ended.length < 10, "there is no more");
          ended.push(...reply.ended.map(({ id }) => id));
          more = reply.more;
        }
        assert.deepEqual(
          ended.sort(),
          ids.map((id) => `${model}-${id}`),
        );
      }
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
