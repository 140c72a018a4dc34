import assert from "node:assert/strict";
import type { Ledger, NewTask } from "../../contracts/ledger.ts";
import type { GatewayError } from "../../errors.ts";
import { failed, newTask, running, sent, succeeded, wantOf } from "../support/builders.ts";
import { matches, plain, read, sameBytes } from "../support/checks.ts";
import { KitRunner } from "../support/kit-runner.ts";
import type { LedgerTest } from "./fixture.ts";

const NUL = "a\0b";
const LONE_SURROGATE = "a\ud800b";

/** What must be refused, each by itself. */
const BAD: readonly NewTask[] = [
  newTask("bad-priority-low", { priority: -1 }),
  newTask("bad-priority-high", { priority: 11 }),
  newTask("bad-priority-part", { priority: 1.5 }),
  newTask("bad-priority-none", { priority: Number.NaN }),
  newTask("bad-payload", { payload: { sizeBytes: 1 } }),
  newTask(""),
  newTask("a space"),
  newTask("ä"),
  newTask("x".repeat(129)),
];

/** What a store may refuse, or keep exactly. */
const ODD_TEXTS: readonly NewTask[] = [NUL, LONE_SURROGATE].flatMap((text, at) => [
  newTask(`owner-${at}`, { owner: text }),
  newTask(`model-${at}`, { model: text }),
  newTask(`operation-${at}`, { operation: text }),
  newTask(`query-${at}`, { query: text }),
  newTask(`source-${at}`, { source: text }),
  newTask(`type-${at}`, { payload: { sizeBytes: 1, contentType: text, inline: new Uint8Array([1]) } }),
  newTask(`key-${at}`, { payload: { sizeBytes: 1, key: text } }),
]);

const LARGE = 4 * 1024 * 1024;

const TOO_LARGE: readonly NewTask[] = [
  newTask("large-owner", { owner: "x".repeat(100_000) }),
  newTask("large-model", { model: "x".repeat(100_000) }),
  newTask("large-query", { query: "x".repeat(LARGE) }),
  newTask("large-payload", { payload: { sizeBytes: LARGE, inline: new Uint8Array(LARGE).fill(7) } }),
];

/** Submits these in one batch among good ones, all of which must be accepted. Gives the errors by id. */
async function refusedOf(
  ledger: Ledger,
  items: readonly NewTask[],
): Promise<ReadonlyMap<string, GatewayError>> {
  const batch = items.flatMap((item, at) => [item, newTask(`good-${at}`)]);
  const outcomes = await ledger.submit([newTask("good"), ...batch]);
  assert.equal(outcomes.length, batch.length + 1);
  const refused = new Map<string, GatewayError>();
  const good = [outcomes[0]];
  for (const [at, item] of items.entries()) {
    const outcome = outcomes[1 + 2 * at];
    good.push(outcomes[2 + 2 * at]);
    if (outcome?.outcome !== "refused") continue;
    refused.set(item.id, outcome.error);
    assert.equal(outcome.error.code, "INVALID_REQUEST", item.id);
  }
  for (const outcome of good) assert.equal(outcome?.outcome, "accepted", "a good item beside a bad one");
  for (const at of items.keys()) await read(ledger, `good-${at}`);
  return refused;
}

/** Each was refused and left nothing, or is there exactly as it was given. */
async function refusedOrExact(ledger: Ledger, items: readonly NewTask[]): Promise<void> {
  const refused = await refusedOf(ledger, items);
  for (const item of items) {
    const [found] = await ledger.get([item.id], { bodies: "payload" });
    if (refused.has(item.id)) {
      assert.equal(found, undefined, `${item.id} was refused and is there`);
      continue;
    }
    const { owner, model, operation, query, source } = item;
    matches(found, { owner, model, operation, query, source }, item.id);
    const { contentType, key, inline } = item.payload;
    matches(found?.payload, { contentType, key }, item.id);
    if (inline !== undefined) sameBytes(found?.payload.inline, inline, item.id);
  }
}

export const badItems: readonly LedgerTest[] = [
  {
    name: "a bad item of a batch is refused alone, and nothing of it is kept",
    async run({ ledger }) {
      const refused = await refusedOf(ledger, BAD);
      for (const { id, priority } of BAD) {
        const error = refused.get(id);
        assert.ok(error !== undefined, `id "${id}" with priority ${priority} was accepted`);
        assert.equal(typeof error.details["field"], "string", "details.field names what is wrong");
      }
      const kept = await ledger.get(BAD.map(({ id }) => id));
      assert.deepEqual(
        kept.filter((task) => task !== undefined),
        [],
      );
    },
  },
  {
    name: "a text that cannot be stored makes its own item refused, or comes back exactly",
    run: ({ ledger }) => refusedOrExact(ledger, ODD_TEXTS),
  },
  {
    name: "what is too large to be stored makes its own item refused, or comes back exactly",
    run: ({ ledger }) => refusedOrExact(ledger, TOO_LARGE),
  },
  {
    name: "a settlement that cannot be stored is refused alone, and its attempt still holds the task",
    async run({ ledger }) {
      const runner = new KitRunner(ledger);
      await ledger.submit(["a", "b", "c", "d", "e"].map((id) => newTask(id)));
      const grants = await runner.grants(wantOf("s", { limit: 9, max: 9 }));
      const [a, b, c, d, e] = grants;
      assert.ok(a && b && c && d && e);
      const ids = [a, b, c, d].map(({ task }) => task.id);
      const odd = [
        sent(a, { server: NUL }),
        running(b, { runId: NUL }),
        succeeded(c, { result: { sizeBytes: 0, inline: new Uint8Array(), disposition: LONE_SURROGATE } }),
        failed(d, { error: { code: NUL, message: NUL } }),
      ];
      const before = await ledger.get(ids);
      const { settled } = await runner.exchange({ settle: [...odd, succeeded(e)] });
      assert.equal(settled[4]?.outcome, "accepted", "a good settlement beside bad ones");
      for (const [at, task] of (await ledger.get(ids)).entries()) {
        const outcome = settled[at]?.outcome;
        if (outcome === "refused") {
          assert.deepEqual(plain(task), plain(before[at]), "a refused settlement changed its task");
          continue;
        }
        assert.equal(outcome, "accepted", task?.id);
        const kept = [task?.server, task?.runId, task?.result?.disposition, task?.error?.message][at];
        assert.equal(kept, at === 2 ? LONE_SURROGATE : NUL, `${task?.id} came back otherwise`);
      }
      for (const [at, grant] of [a, b, c, d].entries())
        if (settled[at]?.outcome === "refused")
          assert.deepEqual(await runner.settle(succeeded(grant)), ["accepted"]);
    },
  },
];
