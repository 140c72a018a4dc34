import assert from "node:assert/strict";
import type { OperationOptions } from "../../contracts/common.ts";
import type { Ledger } from "../../contracts/ledger.ts";
import { LONG_MS, newTask, wantOf } from "../support/builders.ts";
import { plain, read, rejectsWith } from "../support/checks.ts";
import { KitRunner } from "../support/kit-runner.ts";
import type { LedgerTest } from "./fixture.ts";

/** Every method, each with something to do for a ledger that has a waiting task `a`. */
function callsOf(ledger: Ledger): Record<string, (options?: OperationOptions) => Promise<unknown>> {
  const exchange = new KitRunner(ledger, "late").next({ want: [wantOf("s")] });
  const retention = { payloadMs: LONG_MS, resultMs: LONG_MS, rowMs: LONG_MS };
  return {
    submit: (options) => ledger.submit([newTask("b")], options),
    exchange: (options) => ledger.exchange(exchange, options),
    get: (options) => ledger.get(["a"], options),
    list: (options) => ledger.list({}, options),
    amend: (options) => ledger.amend([{ kind: "cancel", id: "a" }], options),
    sweep: (options) => ledger.sweep({ limit: 9, unserved: ["m"], retention }, options),
    stats: (options) => ledger.stats(options),
  };
}

export const lifecycle: readonly LedgerTest[] = [
  {
    name: "a call whose signal was aborted before rejects with the signal's reason, and does nothing",
    async run({ ledger }) {
      await ledger.submit([newTask("a")]);
      const before = plain(await read(ledger, "a"));
      for (const [name, call] of Object.entries(callsOf(ledger))) {
        const reason = { why: name };
        const error = await call({ signal: AbortSignal.abort(reason) }).then(
          () => "it resolved",
          (thrown: unknown) => thrown,
        );
        assert.equal(error, reason, name);
      }
      assert.deepEqual(plain(await read(ledger, "a")), before);
      assert.deepEqual(await ledger.get(["b"]), [undefined]);
    },
  },
  {
    name: "a call whose signal is aborted meanwhile ends with the reason, or with its answer",
    async run({ ledger }) {
      await ledger.submit([newTask("a")]);
      for (const [name, call] of Object.entries(callsOf(ledger))) {
        const controller = new AbortController();
        const reason = { why: name };
        const ending = call({ signal: controller.signal }).catch((thrown: unknown) => thrown);
        controller.abort(reason);
        const end = await ending;
        assert.ok(!(end instanceof Error), `${name} ended with ${String(end)}`);
      }
      await ledger.get(["a"]);
    },
  },
  {
    name: "a closed ledger rejects every call with CLOSED, however often it is closed",
    async run({ ledger }) {
      await ledger.submit([newTask("a")]);
      await Promise.all([ledger.close(), ledger.close()]);
      for (const call of Object.values(callsOf(ledger))) await rejectsWith("CLOSED", call());
      await ledger.close();
    },
  },
];
