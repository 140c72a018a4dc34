// Submits from a thread of its own, as another process of an application would: each of so many senders awaits its
// submit and makes the next. When `ahead` tasks have not ended yet the senders pause, so that what is measured is a
// steady state and not a growing backlog. With `rate` it submits so many a second instead, however long they take.
import { setTimeout as sleep } from "node:timers/promises";
import { workerData } from "node:worker_threads";
import { SIDES } from "./sides/index.mjs";
import { payloadOf } from "./tasks.mjs";

const { counters, side } = workerData;
const inFlight = Number(workerData["in-flight"]);
const ahead = Number(workerData.ahead);
const rate = Number(workerData.rate);
const producer = await (await SIDES[side].load()).openProducer(process.env.BENCH_DATABASE_URL);
const isOver = () => Atomics.load(counters, 2) === 1;

async function submit() {
  await producer.submit(payloadOf(Atomics.add(counters, 0, 1)));
}

let pause;
async function untilBelow() {
  while (!isOver() && ahead > 0 && Atomics.load(counters, 0) - Atomics.load(counters, 1) >= ahead) {
    pause ??= sleep(1).then(() => (pause = undefined));
    await pause;
  }
}

async function sender() {
  while (!isOver()) {
    await untilBelow();
    await submit();
  }
}

async function paced() {
  const beginMs = performance.now();
  const open = new Set();
  for (let made = 0; !isOver(); ) {
    for (const due = ((performance.now() - beginMs) / 1000) * rate; made < due; made += 1) {
      const submitting = submit().finally(() => open.delete(submitting));
      open.add(submitting);
    }
    await sleep(1);
  }
  await Promise.all(open);
}

await (rate > 0 ? paced() : Promise.all(Array.from({ length: inFlight }, sender)));
await producer.close();
