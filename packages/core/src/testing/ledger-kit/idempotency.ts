import assert from "node:assert/strict";
import type { NewTask, SubmitOutcome } from "../../contracts/ledger.ts";
import { LONG_MS, newTask, SHORT_MS, succeeded, wantOf } from "../support/builders.ts";
import { accepted, elapse, read } from "../support/checks.ts";
import { brief, KitRunner } from "../support/kit-runner.ts";
import { clientsOf, type LedgerTest, reopened, sweepAll, unlessDurable } from "./fixture.ts";

function keyed(id: string, parts: Partial<NewTask> = {}, key: Partial<NewTask["idempotency"]> = {}): NewTask {
  return newTask(id, { idempotency: { key: "key", digest: "digest", keepMs: LONG_MS, ...key }, ...parts });
}

function kindsOf(outcomes: readonly SubmitOutcome[]): string[] {
  return outcomes.map(({ outcome }) => outcome);
}

/** The task that a duplicate stands for. */
function firstOf(outcome: SubmitOutcome | undefined): string {
  assert.ok(outcome?.outcome === "duplicate", `it was ${outcome?.outcome}; it must be a duplicate`);
  return outcome.task.id;
}

const FORGET_ROWS = { retention: { payloadMs: LONG_MS, resultMs: LONG_MS, rowMs: 0 } };

export const idempotency: readonly LedgerTest[] = [
  {
    name: "a request repeated under its idempotency key is a duplicate of its task, and nothing of it is kept",
    async run({ ledger }) {
      accepted(await ledger.submit([keyed("a")]));
      const [again] = await ledger.submit([keyed("b", { priority: 10 })]);
      assert.equal(firstOf(again), "a");
      assert.deepEqual(await ledger.get(["b"]), [undefined]);
      assert.deepEqual(brief(await new KitRunner(ledger).grants(wantOf("s"))), ["a@s#1"]);
    },
  },
  {
    name: "an idempotency key that comes with another digest is refused, and nothing of the item is kept",
    async run({ ledger }) {
      await ledger.submit([keyed("a")]);
      const [outcome] = await ledger.submit([keyed("b", {}, { digest: "other" })]);
      assert.ok(outcome?.outcome === "refused", `it was ${outcome?.outcome}`);
      assert.equal(outcome.error.code, "IDEMPOTENCY_MISMATCH");
      assert.deepEqual(await ledger.get(["b"]), [undefined]);
    },
  },
  {
    name: "an idempotency key counts for one owner, model and operation only",
    async run({ ledger }) {
      const others = [{}, { owner: "anna" }, { model: "n" }, { operation: "redact" }];
      for (const [at, parts] of others.entries()) accepted(await ledger.submit([keyed(`t${at}`, parts)]));
      for (const [at, parts] of others.entries()) {
        const [again] = await ledger.submit([keyed(`again-${at}`, parts)]);
        assert.equal(firstOf(again), `t${at}`);
      }
    },
  },
  {
    name: "two items of one batch under one idempotency key make one task",
    async run({ ledger }) {
      const outcomes = await ledger.submit([keyed("a"), newTask("b"), keyed("c")]);
      assert.deepEqual(kindsOf(outcomes), ["accepted", "accepted", "duplicate"]);
      assert.equal(firstOf(outcomes[2]), "a");
    },
  },
  {
    name: "an idempotency key stands for its task also when that has ended",
    async run({ ledger }) {
      const runner = new KitRunner(ledger);
      await ledger.submit([keyed("a")]);
      await runner.settle(succeeded(await runner.grant(wantOf("s"))));
      const [again] = await ledger.submit([keyed("b")]);
      assert.equal(firstOf(again), "a");
      assert.ok(again?.outcome === "duplicate" && again.task.state === "succeeded");
    },
  },
  {
    name: "requests under one idempotency key that several clients send at once make one task",
    async run(fixture) {
      const clients = await clientsOf(fixture, 3);
      for (let round = 0; round < 5; round += 1) {
        const calls = Array.from({ length: 9 }, (_, at) => {
          const client = clients[at % clients.length] ?? fixture.ledger;
          return client.submit([keyed(`t${round}-${at}`, {}, { key: `key ${round}` })]);
        });
        const outcomes = (await Promise.all(calls)).flat();
        const first = outcomes.filter(({ outcome }) => outcome === "accepted");
        assert.equal(first.length, 1, `${first.length} were accepted; one must be`);
        const [winner] = accepted(first);
        for (const each of outcomes) if (each.outcome !== "accepted") assert.equal(firstOf(each), winner?.id);
      }
    },
  },
  {
    name: "an idempotency key is forgotten when its time is over, and may then be used anew",
    async run(fixture) {
      const { ledger } = fixture;
      await ledger.submit([keyed("a", {}, { keepMs: SHORT_MS })]);
      await elapse(fixture, SHORT_MS);
      accepted(await ledger.submit([keyed("b", {}, { digest: "other" })]));
      const [again] = await ledger.submit([keyed("c", {}, { digest: "other" })]);
      assert.equal(firstOf(again), "b");
    },
  },
  {
    name: "the row of a task stays as long as its idempotency key, whatever its age",
    async run(fixture) {
      const { ledger } = fixture;
      await ledger.submit([keyed("kept"), keyed("gone", {}, { key: "short", keepMs: SHORT_MS })]);
      await ledger.amend(["kept", "gone"].map((id) => ({ kind: "cancel", id })));
      await elapse(fixture, SHORT_MS);
      for (const _ of [1, 2]) await sweepAll(ledger, FORGET_ROWS);
      assert.equal((await read(ledger, "kept")).state, "cancelled");
      assert.deepEqual(await ledger.get(["gone"]), [undefined]);
    },
  },
  {
    name: "a task that is submitted again by its own id is accepted, and no duplicate of itself",
    async run({ ledger }) {
      await ledger.submit([keyed("a")]);
      assert.deepEqual(kindsOf(await ledger.submit([keyed("a"), keyed("a")])), ["accepted", "accepted"]);
    },
  },
  {
    name: "an item that is refused leaves its idempotency key free",
    async run({ ledger }) {
      assert.deepEqual(kindsOf(await ledger.submit([keyed("no good id")])), ["refused"]);
      assert.deepEqual(kindsOf(await ledger.submit([keyed("b", {}, { digest: "other" })])), ["accepted"]);
    },
  },
  {
    name: "an idempotency key has 1 to 255 characters, and its digest 1 to 128",
    async run({ ledger }) {
      const bad = [{ key: "" }, { key: "k".repeat(256) }, { digest: "" }, { digest: "d".repeat(129) }];
      const outcomes = await ledger.submit(bad.map((key, at) => keyed(`bad-${at}`, {}, key)));
      assert.deepEqual(kindsOf(outcomes), ["refused", "refused", "refused", "refused"]);
      const longest = { key: "k".repeat(255), digest: "d".repeat(128) };
      assert.deepEqual(kindsOf(await ledger.submit([keyed("a", {}, longest)])), ["accepted"]);
      assert.deepEqual(kindsOf(await ledger.submit([keyed("b", {}, longest)])), ["duplicate"]);
    },
  },
  {
    name: "idempotency keys that differ in case, spaces, accents or signs are different keys",
    async run({ ledger }) {
      const keys = [
        "key ",
        "KEY",
        "key",
        " key",
        "k\u00e9y",
        "ke\u0301y",
        "k%",
        "k_",
        "k'",
        'k"',
        "k\\",
        "k\u{1f511}",
      ];
      for (const [at, key] of keys.entries()) accepted(await ledger.submit([keyed(`t${at}`, {}, { key })]));
      for (const [at, key] of keys.entries()) {
        const [again] = await ledger.submit([keyed(`again-${at}`, {}, { key })]);
        assert.equal(firstOf(again), `t${at}`);
      }
    },
  },
  {
    name: "an idempotency key is remembered when the ledger is opened again",
    leaveOut: unlessDurable,
    async run(fixture) {
      await fixture.ledger.submit([keyed("a")]);
      // Anything that is written after it.
      await fixture.ledger.submit([newTask("b")]);
      const ledger = await reopened(fixture);
      const [again] = await ledger.submit([keyed("c")]);
      assert.equal(firstOf(again), "a");
    },
  },
];
