// A ledger of a task store and a queue, in this process.
import { join } from "node:path";
import { median } from "../lib/ratios.mjs";
import { load, openBroker } from "./parts.mjs";

/** As a gateway sweeps: a round a second, of at most so many sweeps. */
export const SWEEP_MS = 1000;
const MAX_SWEEPS = 20;

export async function sweepRound(ledger) {
  for (let at = 0; at < MAX_SWEEPS; at += 1)
    if (!(await ledger.sweep({ limit: 500, unserved: [] })).more) return;
}

/** Sweeps until the function returned is called. */
export function keepSweeping(ledger, onError) {
  let sweeping;
  const timer = setInterval(() => {
    sweeping ??= sweepRound(ledger)
      .catch(onError)
      .finally(() => (sweeping = undefined));
  }, SWEEP_MS);
  return async () => {
    clearInterval(timer);
    await sweeping;
  };
}

/**
 * `store` is `postgres`, in the database of `url`, or `sqlite`, in the folder of that name; `broker` is `redis` or
 * `rabbitmq`. `wrap` may put something around the task store and the queue. Unless `onQueueFailure` is told of them, a
 * failure of the queue shows at `close`. With `isNative` the broker carries the wake-ups alone.
 */
export async function openComposed({ store: storeKind, broker: brokerKind, url, brokerUrl, ...rest }) {
  const { wrap = (parts) => parts, onQueueFailure, isNative = false } = rest;
  const name = new URL(url).pathname.slice(1);
  const { composeLedger } = await load("core");
  const store =
    storeKind === "postgres"
      ? (await load("postgres")).postgresStore({ url })
      : (await load("sqlite")).sqliteStore({ directory: join(process.env.BENCH_DIRECTORY, name) });
  const broker = await openBroker(brokerKind, brokerUrl, { prefix: name });
  const failures = [];
  const { tasks, queue } = wrap({ tasks: store.tasks, queue: broker.queue });
  const steps = process.env.BENCH_STEPS === "1" ? new Map() : undefined;
  const composed = composeLedger(tasks, queue, {
    ...(steps === undefined ? {} : { checkpoint: (step, promise) => timed(steps, step, promise) }),
    onQueueFailure: onQueueFailure ?? ((operation, error) => failures.push(`${operation}: ${error}`)),
  });
  const ledger = isNative ? store.ledger : composed;
  await ledger.stats();
  return {
    ledger,
    queue: broker.queue,
    wakeups: broker.wakeups,
    async close() {
      await ledger.close();
      for (const [step, times] of steps ?? [])
        console.log(`    ${step}: ${times.length} times, p50 ${median(times).toFixed(2)} ms`);
      await broker.close();
      await store.close();
      if (failures.length > 0) throw new Error(`the queue failed ${failures.length} times, ${failures[0]}`);
    },
  };
}

/** How long the calls of each kind take: which of store and queue a ledger waits for. */
async function timed(steps, step, promise) {
  const beganMs = performance.now();
  const result = await promise;
  const times = steps.get(step);
  if (times === undefined) steps.set(step, [performance.now() - beganMs]);
  else times.push(performance.now() - beganMs);
  return result;
}
