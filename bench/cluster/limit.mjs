// Is a server's limit kept by several schedulers, and used? Three of them share a server of 4 slots and 1,000 tasks; what
// counts is what the server saw.
//
// node bench/cluster/limit.mjs [--schedulers 3] [--tasks 1000] [--limit 4] [--work-ms 100]
import { parseArgs } from "node:util";
import { MISSED, percentile } from "../lib/ratios.mjs";
import { openCluster, submitAll } from "./cluster.mjs";

const { values } = parseArgs({
  options: {
    schedulers: { type: "string", default: "3" },
    tasks: { type: "string", default: "1000" },
    limit: { type: "string", default: "4" },
    "work-ms": { type: "string", default: "100" },
  },
});
const [schedulers, tasks, limit, workMs] = ["schedulers", "tasks", "limit", "work-ms"].map((name) =>
  Number(values[name]),
);
const BAR = 0.95;

const cluster = await openCluster({ schedulers, limit, workMs });
try {
  await submitAll(
    cluster.doors,
    Array.from({ length: tasks }, (_, at) => `text ${at}`),
  );
  const isOver = (calls) => calls.filter(({ endedMs }) => endedMs !== undefined).length >= tasks;
  const { calls } = await cluster.until(isOver, 60_000 + (3 * tasks * workMs) / limit);
  if (new Set(calls.map(({ text }) => text)).size !== tasks || calls.length !== tasks)
    throw new Error(`${calls.length} calls for ${tasks} tasks`);

  const began = calls.map(({ beganMs }) => beganMs).sort((a, b) => a - b);
  // Work waits until the last of them is begun.
  const [first, last] = [began[0], began.at(-1)];
  const busyMs = calls.reduce(
    (sum, { beganMs, endedMs }) => sum + Math.max(0, Math.min(endedMs, last) - beganMs),
    0,
  );
  const used = busyMs / (limit * (last - first));
  const most = mostAtOnce(calls);
  const ended = calls.map(({ endedMs }) => endedMs).sort((a, b) => a - b);
  const gaps = began.slice(limit).map((beganMs, at) => beganMs - ended[at]);
  gaps.sort((a, b) => a - b);
  const [p50, p99] = [0.5, 0.99].map((share) => percentile(gaps, share).toFixed(1));
  console.log(`  a slot that is free is taken again after p50 ${p50} ms, p99 ${p99} ms`);
  const isMet = most <= limit && used >= BAR;
  console.log(
    `${schedulers} schedulers, ${tasks} tasks of ${workMs} ms for ${limit} slots: at most ${most} at once (bar ${limit}), slots in use ${used.toFixed(3)} of the time (bar ${BAR}) ${isMet ? "met" : "NOT MET"}`,
  );
  if (!isMet) process.exitCode = MISSED;
} finally {
  await cluster.close();
}

function mostAtOnce(calls) {
  const steps = calls.flatMap(({ beganMs, endedMs }) => [
    [beganMs, 1],
    [endedMs, -1],
  ]);
  // At one moment an end goes before a beginning.
  steps.sort((a, b) => a[0] - b[0] || a[1] - b[1]);
  let now = 0;
  let most = 0;
  for (const [, step] of steps) {
    now += step;
    most = Math.max(most, now);
  }
  return most;
}
