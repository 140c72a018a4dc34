// Do more processes make less of it? Two gateways and two schedulers against one of each, on the same machine: clients
// submit over HTTP as fast as they are answered, and what counts is when the model server has answered the last one.
//
// node bench/cluster/scale.mjs [--pairs 3] [--tasks 4000] [--clients 64] [--work-ms 5]
import { parseArgs } from "node:util";
import { MISSED, report } from "../lib/ratios.mjs";
import { openCluster, submitAll } from "./cluster.mjs";

const { values } = parseArgs({
  options: {
    pairs: { type: "string", default: "3" },
    tasks: { type: "string", default: "4000" },
    clients: { type: "string", default: "64" },
    "work-ms": { type: "string", default: "5" },
  },
});
const [tasks, clients, workMs] = ["tasks", "clients", "work-ms"].map((name) => Number(values[name]));
const LIMIT = 64;
const TEXT = "The patient was seen on 12 March 2024 in the clinic. ".repeat(40).slice(0, 2000);
/** It must not fall; two runs of the very same differ by this much. */
const BAR = 0.95;

async function perSecond(count) {
  const cluster = await openCluster({ gateways: count, schedulers: count, limit: LIMIT, workMs });
  try {
    // The first ones pay for what is loaded and connected.
    await run(cluster, "warm", Math.ceil(tasks / 10));
    return await run(cluster, "counts", tasks);
  } finally {
    await cluster.close();
  }
}

async function run(cluster, name, count) {
  const texts = Array.from({ length: count }, (_, at) => `${name} ${at} ${TEXT}`);
  const of = (calls) => calls.filter(({ text }) => text.startsWith(name));
  const isOver = (calls) => of(calls).filter(({ endedMs }) => endedMs !== undefined).length >= count;
  const { nowMs } = await cluster.seen();
  await submitAll(cluster.doors, texts, clients);
  const { calls } = await cluster.until(isOver, 120_000);
  const own = of(calls);
  const distinct = new Set(own.map(({ text }) => text.split(" ", 2)[1])).size;
  if (own.length !== count || distinct !== count)
    throw new Error(`${own.length} calls for ${distinct} of ${count} tasks`);
  return (count / (Math.max(...own.map(({ endedMs }) => endedMs)) - nowMs)) * 1000;
}

const pairs = [];
for (let pair = 0; pair < Number(values.pairs); pair += 1)
  pairs.push([await perSecond(1), await perSecond(2)]);
const common = { base: "one of each", own: "two of each", unit: "tasks/s" };
if (!report({ ...common, name: "two gateways and two schedulers against one of each", pairs, bar: BAR }))
  process.exitCode = MISSED;
