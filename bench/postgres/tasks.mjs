// What every side is given to do: tasks of about 110 bytes, and a handler that is called once for each and does nothing.
import { randomUUID } from "node:crypto";

/** Tasks that a side may hold at any time, whatever it calls that. */
export const LIMIT = 100;
/** The lane, queue or task name. */
export const MODEL = "bench";

const TEXT = "a few words, as a clinical note would have them, cut short here";

/** Microseconds by a clock that all threads and processes of the machine share. */
export function nowUs() {
  return Number(process.hrtime.bigint() / 1000n);
}

export function payloadOf(number) {
  return { number, sentUs: nowUs(), text: TEXT };
}

const encoder = new TextEncoder();

/** A task for our ledger. Its id begins with the time, as the gateway's own do. */
export function newTask(payload, priority = 5, model = MODEL) {
  const inline = encoder.encode(JSON.stringify(payload));
  const time = Date.now().toString(16).padStart(12, "0");
  return {
    id: `${time.slice(0, 8)}-${time.slice(8)}-7${randomUUID().slice(15)}`,
    model,
    operation: "process",
    owner: "",
    query: "",
    repeatable: true,
    background: false,
    maxFailures: 5,
    priority,
    boostMs: 3_600_000,
    waitMs: 86_400_000,
    payload: { sizeBytes: inline.byteLength, contentType: "application/json", inline },
  };
}

const inlineResult = encoder.encode('{"ok":true}');

/** What a handler gives back; the sides that keep results keep it. */
export const RESULT = { ok: true };

export const RESULT_REF = {
  sizeBytes: inlineResult.byteLength,
  status: 200,
  contentType: "application/json",
  inline: inlineResult,
};

/** Enters tasks `from`, `from + 1`, … into a ledger, as quickly as it goes. */
export async function fillLedger(ledger, from, count, taskOf = (number) => newTask(payloadOf(number))) {
  const batch = 1000;
  let next = from;
  const filling = Array.from({ length: 2 }, async () => {
    while (next < from + count) {
      const begin = next;
      next = Math.min(from + count, begin + batch);
      const tasks = Array.from({ length: next - begin }, (_, index) => taskOf(begin + index));
      for (const { outcome, error } of await ledger.submit(tasks)) if (outcome !== "accepted") throw error;
    }
  });
  await Promise.all(filling);
}
