// Entries as the ledger makes them, and what many callers at once make of a queue.
import { newTask, payloadOf } from "../postgres/tasks.mjs";

export const LANE = { lane: "bench", background: false };

const HOUR_MS = 3_600_000;

/** Ranks as of tasks submitted one after another. `level` is 0 to 10; one is worth an hour. */
export function newEntries(count, level = 5) {
  const nowMs = Date.now();
  return Array.from({ length: count }, (_, index) => {
    return {
      id: newTask(payloadOf(0)).id,
      ...LANE,
      rank: nowMs + index / 1000 - level * HOUR_MS,
      delayMs: 0,
    };
  });
}

/** Calls `work(number)` for each number below `count`, so many at once; resolves to calls a second. */
export async function inFlight(width, count, work) {
  const beganMs = performance.now();
  let next = 0;
  const one = async () => {
    while (next < count) {
      next += 1;
      await work(next - 1);
    }
  };
  await Promise.all(Array.from({ length: width }, one));
  return (count / (performance.now() - beganMs)) * 1000;
}

/** Takes one entry, handles it, settles it; so many at once, until `count` are done. Resolves to entries a second. */
export async function drain(queue, width, count, handle) {
  const beganMs = performance.now();
  let done = 0;
  const one = async () => {
    while (done < count) {
      const [delivery] = await queue.take({
        lanes: [{ ...LANE, max: 1 }],
        max: 1,
        visibilityMs: 60_000,
      });
      if (delivery === undefined) {
        if (done < count) await new Promise((resolve) => setTimeout(resolve, 1));
        continue;
      }
      await handle(delivery);
      await queue.settle([{ receipt: delivery.receipt, kind: "done" }]);
      done += 1;
    }
  };
  await Promise.all(Array.from({ length: width }, one));
  return (count / (performance.now() - beganMs)) * 1000;
}

/** The same as the ledger does it: loops that each take up to their share of `width` and settle that at once. */
export async function drainInBatches(queue, width, count, handle, loops) {
  const max = Math.ceil(width / loops);
  const beganMs = performance.now();
  let done = 0;
  const one = async () => {
    while (done < count) {
      const taken = await queue.take({ lanes: [{ ...LANE, max }], max, visibilityMs: 60_000 });
      if (taken.length === 0 && done < count) await new Promise((resolve) => setTimeout(resolve, 1));
      if (taken.length === 0) continue;
      for (const delivery of taken) await handle(delivery);
      await queue.settle(taken.map(({ receipt }) => ({ receipt, kind: "done" })));
      done += taken.length;
    }
  };
  await Promise.all(Array.from({ length: loops }, one));
  return (count / (performance.now() - beganMs)) * 1000;
}
