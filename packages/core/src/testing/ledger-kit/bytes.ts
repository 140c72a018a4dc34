import assert from "node:assert/strict";
import { failed, newTask, running, succeeded, wantOf } from "../support/builders.ts";
import { accepted, matches, read, sameBytes } from "../support/checks.ts";
import { KitRunner } from "../support/kit-runner.ts";
import { BYTE_SAMPLES, ODD_TEXT } from "../support/samples.ts";
import type { LedgerTest } from "./fixture.ts";

export const bytes: readonly LedgerTest[] = [
  {
    name: "a payload comes back byte for byte, to a reader and with its grant",
    async run({ ledger }) {
      const samples = [...BYTE_SAMPLES];
      const batch = samples.map(([, inline], at) => {
        return newTask(`t${at}`, { payload: { sizeBytes: inline.byteLength, inline } });
      });
      accepted(await ledger.submit(batch));
      const grants = await new KitRunner(ledger).grants(wantOf("s", { limit: 99, max: 99 }));
      for (const [at, [what, inline]] of samples.entries()) {
        sameBytes((await read(ledger, `t${at}`, "payload")).payload.inline, inline, what);
        const grant = grants.find(({ task }) => task.id === `t${at}`);
        sameBytes(grant?.task.payload.inline, inline, `${what}, granted`);
      }
    },
  },
  {
    name: "a result comes back byte for byte, with all that describes it",
    async run({ ledger }) {
      const runner = new KitRunner(ledger);
      const samples = [...BYTE_SAMPLES];
      await ledger.submit(samples.map((_, at) => newTask(`t${at}`)));
      for (const grant of await runner.grants(wantOf("s", { limit: 99, max: 99 }))) {
        const [what, inline] = samples[Number(grant.task.id.slice(1))] ?? ["", new Uint8Array()];
        const described = {
          sizeBytes: inline.byteLength,
          contentType: "application/json; charset=iso-8859-1",
          status: 207,
          disposition: 'attachment; filename="\u00e4 b.csv"',
        };
        await runner.settle(succeeded(grant, { result: { ...described, inline } }));
        const { result } = await read(ledger, grant.task.id, "result");
        matches(result, described, what);
        sameBytes(result?.inline, inline, what);
      }
    },
  },
  {
    name: "names and texts come back exactly",
    async run({ ledger }) {
      const texts = {
        model: ODD_TEXT,
        operation: ODD_TEXT,
        owner: ODD_TEXT,
        query: ODD_TEXT,
        source: ODD_TEXT,
      };
      const payload = { sizeBytes: 3, contentType: ODD_TEXT, key: ODD_TEXT };
      const lane = { model: ODD_TEXT };
      accepted(
        await ledger.submit([newTask("a", { ...texts, payload }), newTask("b", lane), newTask("c", lane)]),
      );
      matches(await read(ledger, "a"), texts, "the task");
      matches((await read(ledger, "a")).payload, payload, "the payload");
      const runner = new KitRunner(ledger, ODD_TEXT);
      runner.restart(ODD_TEXT);
      const want = wantOf(ODD_TEXT, { instance: ODD_TEXT, models: [ODD_TEXT] });
      const grants = await runner.grants(want);
      const [one, other, third] = grants;
      assert.ok(one !== undefined && other !== undefined && third !== undefined, "grants under odd names");
      for (const grant of grants) assert.equal(grant.server, ODD_TEXT);
      const error = { code: "SERVER_REJECTED", message: ODD_TEXT, status: 418 };
      const result = { sizeBytes: 3, contentType: ODD_TEXT, disposition: ODD_TEXT, key: ODD_TEXT };
      const endings = [failed(other, { error }), succeeded(third, { result })];
      await runner.settle(running(one, { runId: ODD_TEXT }), ...endings);
      const run = { server: ODD_TEXT, instance: ODD_TEXT, runId: ODD_TEXT };
      matches(await read(ledger, one.task.id), run, "the run");
      matches((await read(ledger, other.task.id)).error, error, "the error");
      matches((await read(ledger, third.task.id)).result, result, "the result");
    },
  },
  {
    name: "what a caller does to its own bytes afterwards changes nothing",
    async run({ ledger }) {
      const runner = new KitRunner(ledger);
      const payload = Buffer.from([1, 2, 3]);
      const result = Buffer.from([4, 5, 6]);
      await ledger.submit([newTask("a", { payload: { sizeBytes: 3, inline: payload } })]);
      payload.fill(0);
      const grant = await runner.grant(wantOf("s"));
      grant.task.payload.inline?.fill(0);
      sameBytes(
        (await read(ledger, "a", "payload")).payload.inline,
        new Uint8Array([1, 2, 3]),
        "the payload",
      );
      await runner.settle(succeeded(grant, { result: { sizeBytes: 3, inline: result } }));
      result.fill(0);
      (await read(ledger, "a", "result")).result?.inline?.fill(0);
      sameBytes((await read(ledger, "a", "result")).result?.inline, new Uint8Array([4, 5, 6]), "the result");
    },
  },
];
