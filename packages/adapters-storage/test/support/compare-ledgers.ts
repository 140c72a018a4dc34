import { GatewayError, type Ledger } from "@modelgate/core";
import { type MemoryLedgerOptions, memoryLedger } from "@modelgate/core/memory";
import { expect } from "vitest";
import { RandomCalls } from "../sqlite/random-calls.ts";

const CALLS = 100;

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

/**
 * Makes the same random calls to a ledger and to the one in memory, and expects the same of both. The ledger's dice
 * always give 0.5, and its clock is stopped at what `freeze` says.
 */
export async function compareLedgers(
  seed: number,
  ledger: Ledger,
  freeze: (nowMs: number) => Promise<void>,
  inMemory: (options: MemoryLedgerOptions) => Ledger = memoryLedger,
): Promise<void> {
  let nowMs = 1_700_000_000_000;
  const oracle = inMemory({
    clock: { now: () => nowMs, monotonic: () => nowMs, after: () => () => {} },
    random: () => 0.5,
  });
  await freeze(nowMs);
  const calls = new RandomCalls(seed);
  for (let step = 0; step < CALLS; step += 1) {
    const call = calls.next();
    if (call.advanceMs !== undefined) {
      nowMs += call.advanceMs;
      await freeze(nowMs);
    }
    let answer: unknown;
    const expected = await outcomeOf(call.run(oracle).then((value) => (answer = value)));
    expect(await outcomeOf(call.run(ledger)), `seed ${seed}, step ${step}: ${call.name}`).toEqual(expected);
    if (answer !== undefined) call.learn?.(answer);
  }
  expect(comparable(await calls.everything(ledger)), `seed ${seed} at the end`).toEqual(
    comparable(await calls.everything(oracle)),
  );
}
