// One side, one repetition, one process. Prints one line of JSON. Started by run.mjs.
//
// drain:  fills the queue, then measures from the consumer's start to the commit of the last ending.
// steady: a thread submits while this one consumes; measures endings and the time from a submit to its handler.

import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { Worker } from "node:worker_threads";
import { percentile } from "../lib/ratios.mjs";
import { SIDES } from "./sides/index.mjs";
import { nowUs, payloadOf } from "./tasks.mjs";

const { values } = parseArgs({
  options: {
    side: { type: "string" },
    mode: { type: "string" },
    tasks: { type: "string" },
    seconds: { type: "string" },
    "in-flight": { type: "string" },
    ahead: { type: "string" },
    rate: { type: "string" },
    gather: { type: "string" },
    loops: { type: "string" },
  },
});
const url = process.env.BENCH_DATABASE_URL;
const side = await SIDES[values.side].load();
const WARM_UP_MS = Math.min(1000, Number(values.seconds) * 500);
// A store that rests keeps no process alive; the bench itself says when this one is over.
setInterval(() => {}, 60_000);

function onError(error) {
  console.error(error);
  process.exit(1);
}

/** Client and server share the machine, so both are counted where the server runs here. */
function cpuMs() {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

async function drain() {
  const tasks = Number(values.tasks);
  await side.prepare(url);
  await side.fill(url, tasks, payloadOf);
  process.send({ filled: tasks });
  await new Promise((resolve) => process.once("message", resolve));

  const seen = new Uint8Array(tasks);
  let beginMs;
  let ended = 0;
  let calls = 0;
  let onAll = () => {};
  const all = new Promise((resolve) => (onAll = resolve));
  const consumer = await side.openConsumer(url, {
    options: values,
    onError,
    async handle({ number }) {
      beginMs ??= performance.now();
      seen[number] = 1;
      calls += 1;
    },
    onEnded(count) {
      ended += count;
      if (ended >= tasks) onAll();
    },
  });
  const cpuBefore = cpuMs();
  await consumer.start();
  // A side that takes its time to start is not charged with it.
  beginMs ??= performance.now();
  await all;
  await consumer.flushed?.();
  const tookMs = performance.now() - beginMs;
  const cpu = cpuMs() - cpuBefore;
  await consumer.stop();
  const distinct = seen.reduce((sum, each) => sum + each, 0);
  const rows = await side.countEnded(url, tasks);
  if (distinct !== tasks || calls !== tasks || rows !== tasks)
    throw new Error(`${calls} calls for ${distinct} of ${tasks} tasks, and ${rows} rows have ended`);
  return { perSecond: (tasks / tookMs) * 1000, clientUs: (cpu / tasks) * 1000, total: tasks };
}

async function steady() {
  await side.prepare(url);
  process.send({ filled: 0 });
  await new Promise((resolve) => process.once("message", resolve));
  // Submitted, ended, and whether it is over.
  const counters = new Int32Array(new SharedArrayBuffer(12));
  let isMeasuring = false;
  const waits = [];
  const consumer = await side.openConsumer(url, {
    options: values,
    onError,
    async handle({ sentUs }) {
      if (isMeasuring) waits.push((nowUs() - sentUs) / 1000);
    },
    onEnded: (count) => void Atomics.add(counters, 1, count),
  });
  await consumer.start();
  const workerData = { ...values, counters };
  const producer = new Worker(new URL("producer.mjs", import.meta.url), { workerData });
  producer.once("error", onError);
  const isOver = new Promise((resolve) => producer.once("exit", resolve));
  while (Atomics.load(counters, 1) === 0) await sleep(5);
  await sleep(WARM_UP_MS);
  const look = () => ({ atMs: performance.now(), submitted: counters[0], ended: counters[1], cpu: cpuMs() });
  const before = look();
  isMeasuring = true;
  await sleep(Number(values.seconds) * 1000);
  isMeasuring = false;
  const after = look();
  Atomics.store(counters, 2, 1);
  await isOver;
  await consumer.stop();
  const tookMs = after.atMs - before.atMs;
  const ended = after.ended - before.ended;
  waits.sort((a, b) => a - b);
  return {
    perSecond: (ended / tookMs) * 1000,
    submittedPerSecond: ((after.submitted - before.submitted) / tookMs) * 1000,
    p50: percentile(waits, 0.5),
    p99: percentile(waits, 0.99),
    clientUs: ((after.cpu - before.cpu) / ended) * 1000,
    total: counters[1],
  };
}

const result = await (values.mode === "drain" ? drain() : steady());
process.send({ result, settings: side.settings }, () => process.exit(0));
