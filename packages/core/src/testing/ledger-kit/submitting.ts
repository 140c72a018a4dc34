import assert from "node:assert/strict";
import { newTask, SHORT_MS, succeeded, wantOf } from "../support/builders.ts";
import { accepted, elapse, matches, plain, read, sameBytes } from "../support/checks.ts";
import { brief, KitRunner } from "../support/kit-runner.ts";
import { clientsOf, type LedgerTest, pairOf } from "./fixture.ts";

export const submitting: readonly LedgerTest[] = [
  {
    name: "an accepted task waits, and every client reads it back as it was given",
    async run(fixture) {
      const [ledger, other] = await pairOf(fixture);
      const inline = new Uint8Array([1, 2, 3]);
      const task = newTask("a", {
        owner: "anna",
        query: "threshold=0.5",
        source: "10.0.0.1 curl",
        retryOf: "earlier",
        repeatable: false,
        background: true,
        maxFailures: 7,
        priority: 3,
        waitMs: 12_345_678,
        payload: { sizeBytes: 3, contentType: "text/plain; charset=utf-8", inline },
      });
      const [record] = accepted(await ledger.submit([task]));
      const { boostMs: _boost, waitMs, payload, idempotency: _key, ...identity } = task;
      for (const found of [record, await read(ledger, "a"), await read(other, "a")]) {
        matches(found, identity, "the task");
        const progress = { attempt: 0, failures: 0, lostAttempts: 0, recovering: false } as const;
        matches(found, { state: "pending", ...progress }, "the task");
        for (const field of ["holder", "server", "startedAtMs", "finishedAtMs", "error", "result"] as const)
          assert.equal(found?.[field], undefined, field);
        matches(found?.payload, { sizeBytes: 3, contentType: payload.contentType }, "the payload");
        assert.equal((found?.deadlineAtMs ?? 0) - (found?.createdAtMs ?? 0), waitMs);
      }
      sameBytes((await read(other, "a", "payload")).payload.inline, inline, "the payload");
    },
  },
  {
    name: "each item of a batch gets its outcome, in order",
    async run({ ledger }) {
      assert.deepEqual(await ledger.submit([]), []);
      const ids = Array.from({ length: 50 }, (_, at) => `t${(at * 37) % 50}`);
      const records = accepted(await ledger.submit(ids.map((id) => newTask(id))));
      assert.deepEqual(
        records.map(({ id }) => id),
        ids,
      );
    },
  },
  {
    name: "an id that is submitted again is accepted, and nothing of its task changes",
    async run(fixture) {
      const { ledger } = fixture;
      const runner = new KitRunner(ledger);
      await ledger.submit([newTask("a")]);
      const before = plain(await read(ledger, "a"));
      await elapse(fixture, SHORT_MS);
      const changed = { priority: 9, payload: { sizeBytes: 1, inline: new Uint8Array([9]) } };
      const again = accepted(await ledger.submit([newTask("a"), newTask("a", changed)]));
      for (const record of [...again, await read(ledger, "a")]) assert.deepEqual(plain(record), before);
      sameBytes((await read(ledger, "a", "payload")).payload.inline, new Uint8Array([1, 2]), "the payload");
      const grant = await runner.grant(wantOf("s"));
      accepted(await ledger.submit([newTask("a")]));
      assert.deepEqual(await runner.grants(wantOf("s")), [], "it must not be granted once more");
      await runner.settle(succeeded(grant));
      const [ended] = accepted(await ledger.submit([newTask("a")]));
      assert.equal(ended?.state, "succeeded");
    },
  },
  {
    name: "an id that is another task's is refused",
    async run({ ledger }) {
      await ledger.submit([newTask("a", { owner: "anna" })]);
      const before = plain(await read(ledger, "a"));
      const others = [{}, { owner: "anna", model: "n" }, { owner: "anna", operation: "redact" }];
      for (const parts of others) {
        const [outcome] = await ledger.submit([newTask("a", parts)]);
        assert.ok(outcome?.outcome === "refused", `it was ${outcome?.outcome}`);
        assert.equal(outcome.error.code, "INVALID_REQUEST");
      }
      assert.deepEqual(plain(await read(ledger, "a")), before);
    },
  },
  {
    name: "an id that several clients submit at once makes one task",
    async run(fixture) {
      const clients = await clientsOf(fixture, 3);
      const ids = Array.from({ length: 10 }, (_, at) => `t${at}`);
      const calls = clients.flatMap((client) =>
        [0, 1].map(() => client.submit(ids.map((id) => newTask(id)))),
      );
      for (const outcomes of await Promise.all(calls)) accepted(outcomes);
      const grants = await new KitRunner(fixture.ledger).grants(wantOf("s", { limit: 99, max: 99 }));
      assert.deepEqual(brief(grants).sort(), ids.map((id) => `${id}@s#1`).sort());
    },
  },
];
