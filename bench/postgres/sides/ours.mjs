// Our ledger, used directly: `submit` and `exchange`, and hints from the submitting to the running process.
import { load } from "../load-store.mjs";
import { BenchRunner } from "../runner.mjs";
import { fillLedger, LIMIT, MODEL, newTask, RESULT_REF } from "../tasks.mjs";

export const settings = "one runner, nothing fetched ahead";

/** Exchanges at once, each of a runner of its own, which share the slots. */
const LOOPS = 1;

/** Between two hints of one process. */
const HINT_MS = 5;

export async function openStore(url) {
  const { postgresStore } = await load("postgres");
  const store = postgresStore({ url });
  await store.ledger.stats();
  return store;
}

export async function prepare(url) {
  const store = await openStore(url);
  await store.close();
}

export async function fill(url, count) {
  const store = await openStore(url);
  await fillLedger(store.ledger, 0, count);
  await store.close();
}

/** Says that there is work: at once, and then at most every few milliseconds. */
export function hinter(wakeups) {
  let isPending = false;
  let lastMs = Number.NEGATIVE_INFINITY;
  const tell = () => {
    isPending = false;
    lastMs = performance.now();
    // Hints may be lost; the runner looks by itself, too.
    wakeups.publish("work", [MODEL]).catch(() => {});
  };
  return () => {
    if (isPending) return;
    isPending = true;
    const dueMs = lastMs + HINT_MS - performance.now();
    if (dueMs <= 0) tell();
    else setTimeout(tell, dueMs);
  };
}

export async function openProducer(url) {
  const store = await openStore(url);
  const hint = hinter(store.wakeups);
  return {
    async submit(payload) {
      const [{ outcome, error }] = await store.ledger.submit([newTask(payload)]);
      if (outcome !== "accepted") throw error;
      hint();
    },
    close: () => store.close(),
  };
}

export async function openConsumer(url, given) {
  return consume(await openStore(url), given);
}

/** A runner on a store, which it closes in the end. */
export function consume(store, { handle, onEnded, onError, options = {}, slots = LIMIT }) {
  const count = Number(options.loops ?? LOOPS);
  const runners = Array.from(
    { length: count },
    (_, index) =>
      new BenchRunner({
        ledger: store.ledger,
        name: `bench-${process.pid}-${index}`,
        limit: LIMIT,
        slots: Math.floor((slots * (index + 1)) / count) - Math.floor((slots * index) / count),
        models: [MODEL],
        handle: async (payload) => {
          await handle(payload);
          return RESULT_REF;
        },
        onEnded,
        gatherMs: Number(options.gather ?? 0),
      }),
  );
  const unsubscribe = store.wakeups?.subscribe("work", () => {
    for (const runner of runners) runner.poke();
  });
  return {
    start: async () => {
      for (const runner of runners) runner.start(onError);
    },
    async stop() {
      unsubscribe?.();
      await Promise.all(runners.map((runner) => runner.stop()));
      await store.close?.();
    },
  };
}

/** How many tasks the ledger says have succeeded. */
export async function countEnded(url) {
  const store = await openStore(url);
  const count = await countSucceeded(store.ledger);
  await store.close();
  return count;
}

export async function countSucceeded(ledger) {
  let count = 0;
  let cursor;
  do {
    const page = await ledger.list({ filter: { states: ["succeeded"] }, cursor, limit: 1000 });
    count += page.items.length;
    cursor = page.nextCursor;
  } while (cursor !== undefined);
  return count;
}
