import assert from "node:assert/strict";
import { newTask, PAYLOAD, RESULT, succeeded, wantOf } from "../support/builders.ts";
import { sameBytes } from "../support/checks.ts";
import { KitRunner } from "../support/kit-runner.ts";
import type { LedgerTest } from "./fixture.ts";

export const reading: readonly LedgerTest[] = [
  {
    name: "tasks are given in the order asked for, an unknown one as undefined",
    async run({ ledger }) {
      await ledger.submit(["a", "b", "c"].map((id) => newTask(id)));
      const ids = ["c", "nobody", "a", "c", "", "a'; --", "A", "b"];
      assert.deepEqual(
        (await ledger.get(ids)).map((task) => task?.id),
        [...["c", undefined, "a", "c", undefined, undefined, undefined, "b"]],
      );
      assert.deepEqual(await ledger.get([]), []);
    },
  },
  {
    name: "inline bytes come only with a record that is asked for them",
    async run({ ledger }) {
      const runner = new KitRunner(ledger);
      await ledger.submit([newTask("a")]);
      await runner.settle(succeeded(await runner.grant(wantOf("s"))));
      const [plain] = await ledger.get(["a"]);
      const [none] = await ledger.get(["a"], { bodies: "none" });
      const [payload] = await ledger.get(["a"], { bodies: "payload" });
      const [result] = await ledger.get(["a"], { bodies: "result" });
      const [listed] = (await ledger.list()).items;
      for (const task of [plain, none, result, listed]) assert.equal(task?.payload.inline, undefined);
      for (const task of [plain, none, payload, listed]) assert.equal(task?.result?.inline, undefined);
      sameBytes(payload?.payload.inline, PAYLOAD, "the payload");
      sameBytes(result?.result?.inline, RESULT.inline ?? new Uint8Array(), "the result");
    },
  },
];
