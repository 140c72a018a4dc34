import { GatewayError } from "@modelgate/core";
import { memoryLedger } from "@modelgate/core/memory";
import { describe, expect, it } from "vitest";
import { RandomCalls } from "./random-calls.ts";
import { freeze, newDirectory, openStore } from "./store-fixture.ts";

const SEEDS = Number(process.env["MODELGATE_SEEDS"] ?? 200);
const FIRST = Number(process.env["MODELGATE_FIRST_SEED"] ?? 1);
const CALLS = 100;
const GROUPS = 10;

/** What a call came to; an error counts by its code. */
async function outcomeOf(call: Promise<unknown>): Promise<unknown> {
  try {
    return { value: comparable(await call) };
  } catch (error) {
    if (!GatewayError.is(error)) throw error;
    return { code: error.code };
  }
}

/** Without what equal answers may differ in: absent or undefined, the class of bytes, the words of an error. */
function comparable(value: unknown): unknown {
  if (value instanceof Uint8Array) return { bytes: Buffer.from(value).toString("hex") };
  if (GatewayError.is(value)) return { code: value.code };
  if (Array.isArray(value)) return value.map(comparable);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, field]) => field !== undefined)
      .map(([name, field]) => [name, comparable(field)]),
  );
}

async function compare(seed: number): Promise<void> {
  let nowMs = 1_700_000_000_000;
  const oracle = memoryLedger({
    clock: { now: () => nowMs, monotonic: () => nowMs, after: () => () => {} },
    random: () => 0.5,
  });
  const { store, client } = await openStore({ directory: await newDirectory(true) });
  await freeze(client, nowMs);
  const calls = new RandomCalls(seed);
  for (let step = 0; step < CALLS; step += 1) {
    const call = calls.next();
    if (call.advanceMs !== undefined) {
      nowMs += call.advanceMs;
      await freeze(client, nowMs);
    }
    let answer: unknown;
    const expected = await outcomeOf(call.run(oracle).then((value) => (answer = value)));
    expect(await outcomeOf(call.run(store.ledger)), `seed ${seed}, step ${step}: ${call.name}`).toEqual(
      expected,
    );
    if (answer !== undefined) call.learn?.(answer);
  }
  expect(comparable(await calls.everything(store.ledger)), `seed ${seed} at the end`).toEqual(
    comparable(await calls.everything(oracle)),
  );
  await store.close();
}

describe("the ledger in SQLite against the one in memory", () => {
  for (let group = 0; group < GROUPS; group += 1) {
    it(`answers alike, call for call (${group + 1} of ${GROUPS})`, { timeout: 300_000 }, async () => {
      for (let seed = FIRST + group; seed < FIRST + SEEDS; seed += GROUPS) await compare(seed);
    });
  }
});
