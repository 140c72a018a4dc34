import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import type { GetOptions, Ledger, SubmitOutcome } from "../../contracts/ledger.ts";
import type { TaskRecord } from "../../contracts/task.ts";
import { GatewayError, type GatewayErrorCode } from "../../errors.ts";

/** What a kit needs of a fixture to let time pass. */
export interface Elapsing {
  elapse?: ((ms: number) => Promise<void>) | undefined;
}

/** Timers may fire a moment before the clock has moved as far. */
const TIMER_SLACK_MS = 10;

/** Lets so much time pass on the backend's clock. */
export async function elapse(fixture: Elapsing, ms: number): Promise<void> {
  if (fixture.elapse === undefined) await sleep(ms + TIMER_SLACK_MS);
  else await fixture.elapse(ms);
}

export async function rejectsWith(code: GatewayErrorCode, call: Promise<unknown>): Promise<void> {
  const error = await call.then(
    () => assert.fail(`it resolved; it must reject with ${code}`),
    (reason: unknown) => reason,
  );
  if (error instanceof assert.AssertionError) throw error;
  assert.ok(GatewayError.is(error, code), `it must reject with ${code}; it rejected with ${String(error)}`);
}

/** The tasks of a batch all of which must have been accepted. */
export function accepted(outcomes: readonly SubmitOutcome[]): readonly TaskRecord[] {
  return outcomes.map((item) => {
    if (item.outcome === "refused") assert.fail(`a good task was refused: ${item.error.message}`);
    assert.equal(item.outcome, "accepted");
    return item.task;
  });
}

/** The task, which must be there. */
export async function read(
  store: Pick<Ledger, "get">,
  id: string,
  bodies: GetOptions["bodies"] = "none",
): Promise<TaskRecord> {
  const [task] = await store.get([id], { bodies });
  assert.ok(task !== undefined, `there is no task ${id}`);
  return task;
}

/** The fields that are expected, whatever else there is. An absent field and an undefined one are the same. */
export function matches<T extends object>(actual: T | undefined, expected: Partial<T>, what: string): void {
  assert.ok(actual !== undefined, `${what} is missing`);
  for (const [field, value] of Object.entries(expected))
    assert.deepStrictEqual(actual[field as keyof T], value, `${what}: ${field}`);
}

/** The same without what is undefined, for comparisons of whole records. */
export function plain<T>(value: T): T {
  return JSON.parse(JSON.stringify(value)) as T;
}

/** Compares bytes, whatever view they come in. */
export function sameBytes(actual: Uint8Array | undefined, expected: Uint8Array, what: string): void {
  assert.ok(actual !== undefined, `${what}: the bytes are missing`);
  assert.ok(Buffer.compare(actual, expected) === 0, `${what}: other bytes came back`);
}

export function sorted(texts: Iterable<string>): string[] {
  return [...texts].sort();
}

/** Instants of one store that were read a moment apart. */
export function isNear(actual: number | undefined, expected: number, what: string): void {
  const isClose = actual !== undefined && Math.abs(actual - expected) < 5_000;
  assert.ok(isClose, `${what} is ${actual}; about ${expected} was expected`);
}
