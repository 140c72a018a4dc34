import assert from "node:assert/strict";
import type { Ledger, NewTask, SweepRequest } from "../../contracts/ledger.ts";
import {
  LONG_MS,
  newTask,
  newTraining,
  PAYLOAD,
  RESULT,
  running,
  SHORT_MS,
  succeeded,
  wantOf,
} from "../support/builders.ts";
import { elapse, matches, read, sameBytes, sorted } from "../support/checks.ts";
import { KitRunner } from "../support/kit-runner.ts";
import { type LedgerTest, sweepAll } from "./fixture.ts";

type Ages = NonNullable<SweepRequest["retention"]>;

function ages(parts: Partial<Ages>): Pick<SweepRequest, "retention"> {
  return { retention: { payloadMs: LONG_MS, resultMs: LONG_MS, rowMs: LONG_MS, ...parts } };
}

/** Accepts a task and ends it with a result. */
async function endOne(ledger: Ledger, task: NewTask, result = RESULT): Promise<void> {
  const runner = new KitRunner(ledger, `runner of ${task.id}`);
  await ledger.submit([task]);
  const grant = await runner.grant(wantOf("s", { models: [task.model] }));
  assert.deepEqual(await runner.settle(succeeded(grant, { result })), ["accepted"]);
}

export const retention: readonly LedgerTest[] = [
  {
    name: "a payload is forgotten when its age is over, and nothing else",
    async run({ ledger }) {
      await endOne(ledger, newTask("a"));
      await sweepAll(ledger, ages({ payloadMs: 0 }));
      const { payload } = await read(ledger, "a", "payload");
      matches(
        payload,
        { isForgotten: true, sizeBytes: PAYLOAD.byteLength, inline: undefined },
        "the payload",
      );
      const { state, result } = await read(ledger, "a", "result");
      assert.equal(state, "succeeded");
      sameBytes(result?.inline, RESULT.inline ?? new Uint8Array(), "the result");
    },
  },
  {
    name: "a result is forgotten when its age is over, and nothing else",
    async run({ ledger }) {
      await endOne(ledger, newTask("a"));
      await sweepAll(ledger, ages({ resultMs: 0 }));
      const { result, state } = await read(ledger, "a", "result");
      matches(result, { isForgotten: true, status: RESULT.status, inline: undefined }, "the result");
      assert.equal(state, "succeeded");
      sameBytes((await read(ledger, "a", "payload")).payload.inline, PAYLOAD, "the payload");
    },
  },
  {
    name: "a row is forgotten when its age is over",
    async run({ ledger }) {
      await endOne(ledger, newTask("a"));
      await ledger.submit([newTask("b")]);
      await sweepAll(ledger, ages({ rowMs: 0 }));
      assert.deepEqual(await ledger.get(["a"], { bodies: "result" }), [undefined]);
      assert.deepEqual(
        (await ledger.list()).items.map(({ id }) => id),
        ["b"],
      );
    },
  },
  {
    name: "ages count from the ending",
    async run(fixture) {
      const { ledger } = fixture;
      const waitMs = 50 * SHORT_MS;
      await endOne(ledger, newTask("old", { model: "n" }));
      await ledger.submit([newTask("young")]);
      await elapse(fixture, waitMs);
      const [amended] = await ledger.amend([{ kind: "cancel", id: "young" }]);
      const age = waitMs - 5 * SHORT_MS;
      await sweepAll(ledger, ages({ rowMs: age }));
      const { nowMs } = await new KitRunner(ledger).exchange();
      const [old, young] = await ledger.get(["old", "young"]);
      assert.equal(old, undefined, "it was kept beyond its age");
      // On a machine that stood still meanwhile it may have become old by now.
      const isYoung = nowMs - (amended?.task?.finishedAtMs ?? 0) < age;
      assert.ok(young !== undefined || !isYoung, "it was forgotten before its age");
    },
  },
  {
    name: "nothing of a task that has not ended is forgotten",
    async run({ ledger }) {
      const runner = new KitRunner(ledger);
      await ledger.submit([newTask("held"), newTraining("runs")]);
      const grants = await runner.grants(wantOf("s"));
      await runner.settle(...grants.filter(({ task }) => task.background).map((grant) => running(grant)));
      await ledger.submit([newTask("waits")]);
      const { unreferencedKeys } = await sweepAll(ledger, ages({ payloadMs: 0, resultMs: 0, rowMs: 0 }));
      assert.deepEqual(unreferencedKeys, []);
      for (const id of ["held", "runs", "waits"])
        sameBytes((await read(ledger, id, "payload")).payload.inline, PAYLOAD, `the payload of ${id}`);
    },
  },
  {
    name: "without ages nothing is forgotten",
    async run(fixture) {
      const { ledger } = fixture;
      await endOne(ledger, newTask("a"));
      await elapse(fixture, SHORT_MS);
      assert.deepEqual((await sweepAll(ledger)).unreferencedKeys, []);
      sameBytes((await read(ledger, "a", "payload")).payload.inline, PAYLOAD, "the payload");
    },
  },
  {
    name: "an object is named once, when the row that names it forgets it",
    async run({ ledger }) {
      const object = (key: string) => ({ sizeBytes: 1, key });
      await endOne(ledger, newTask("a", { payload: object("in/a") }), object("out/a"));
      await endOne(ledger, newTask("b", { payload: object("in/b") }), object("out/b"));
      const keysBy = async (parts: Partial<Ages>): Promise<string[]> => {
        return sorted((await sweepAll(ledger, ages(parts))).unreferencedKeys);
      };
      assert.deepEqual(await keysBy({}), []);
      assert.deepEqual(await keysBy({ payloadMs: 0 }), ["in/a", "in/b"]);
      assert.equal((await read(ledger, "a")).payload.key, undefined);
      assert.deepEqual(await keysBy({ payloadMs: 0 }), []);
      assert.deepEqual(await keysBy({ resultMs: 0 }), ["out/a", "out/b"]);
      await endOne(ledger, newTask("c", { payload: object("in/c") }), object("out/c"));
      assert.deepEqual(await keysBy({ rowMs: 0 }), ["in/c", "out/c"]);
      assert.deepEqual(await keysBy({ rowMs: 0 }), []);
    },
  },
];
