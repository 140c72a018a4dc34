// Does the store reach 0.6 of what a bare group-commit loop reaches with the same PRAGMAs, tables and rows? A full
// cycle is submit, grant, and settle with a result of 200 bytes; 100 are in flight. The two take turns, so that a noisy
// machine troubles both alike. Also: how long does the main thread's loop wait while the store works?
//
// node bench/sqlite/cycles.mjs [--pairs 5] [--seconds 3] [--in-flight 100]
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { parseArgs } from "node:util";
import { Worker } from "node:worker_threads";
import { MISSED } from "../lib/ratios.mjs";
import { loadStore, quantile } from "./load-store.mjs";

const { values } = parseArgs({
  options: { pairs: { type: "string" }, seconds: { type: "string" }, "in-flight": { type: "string" } },
});
const pairs = Number(values.pairs ?? 5);
const runMs = Number(values.seconds ?? 3) * 1000;
const inFlight = Number(values["in-flight"] ?? 100);
const { openSqliteStore, folder } = await loadStore();

const payload = { sizeBytes: 200, contentType: "application/json", inline: new Uint8Array(200).fill(97) };
const result = {
  sizeBytes: 200,
  status: 200,
  contentType: "application/json",
  inline: new Uint8Array(200).fill(98),
};

function newTask(id) {
  return {
    id,
    model: "m",
    operation: "process",
    owner: "anna",
    query: "",
    repeatable: true,
    background: false,
    maxFailures: 5,
    priority: 5,
    boostMs: 3_600_000,
    waitMs: 86_400_000,
    payload,
  };
}

/** One runner that grants and settles for `inFlight` senders, each of which submits again when its task has ended. */
async function ours() {
  const directory = mkdtempSync(join(tmpdir(), "modelgate-bench-"));
  const { store } = openSqliteStore({ directory });
  const { ledger } = store;
  await ledger.stats();
  const delay = monitorEventLoopDelay({ resolution: 1 });
  let cycles = 0;
  let lastId = 0;
  let isOver = false;
  const settle = [];
  let wake = () => {};
  const submit = async () => {
    if (isOver) return;
    lastId += 1;
    const [outcome] = await ledger.submit([newTask(`${lastId.toString(36)}-7f3a2b1c-4d5e-6f70`)]);
    if (outcome.outcome !== "accepted") throw outcome.error;
    wake();
  };
  const runner = async (name) => {
    let sequence = 0;
    while (!isOver) {
      sequence += 1;
      const reply = await ledger.exchange({
        runner: name,
        incarnation: "1",
        sequence,
        acknowledged: sequence - 1,
        leaseMs: 10_000,
        settle: settle.splice(0),
        renew: [],
        want: [{ server: "s", limit: 1000, max: inFlight, models: ["m"], background: false, cost: 1 }],
        recover: 0,
        release: [],
      });
      for (const { outcome } of reply.settled) {
        if (outcome !== "accepted") throw new Error(outcome);
        cycles += 1;
        void submit();
      }
      for (const { task, attempt } of reply.grants)
        settle.push({ id: task.id, attempt, kind: "succeeded", result, releaseHold: false });
      if (reply.settled.length === 0 && reply.grants.length === 0)
        await new Promise((resolve) => (wake = resolve));
    }
  };
  const begin = performance.now();
  for (let sender = 0; sender < inFlight; sender += 1) void submit();
  const runners = [runner("a"), runner("b")];
  delay.enable();
  await new Promise((resolve) => setTimeout(resolve, runMs));
  delay.disable();
  const rate = (cycles / (performance.now() - begin)) * 1000;
  isOver = true;
  wake();
  await Promise.race([Promise.all(runners), new Promise((resolve) => setTimeout(resolve, 500))]);
  await store.close();
  rmSync(directory, { recursive: true, force: true });
  return { rate, delayMs: delay.percentile(99) / 1e6 };
}

/** The same statements in the same transactions, with nothing around them. */
async function bare() {
  const directory = mkdtempSync(join(tmpdir(), "modelgate-bench-"));
  const worker = new Worker(new URL("bare-loop.mjs", import.meta.url), {
    workerData: { directory, folder, runMs, inFlight },
  });
  const rate = await new Promise((resolve, reject) => {
    worker.on("message", resolve);
    worker.on("error", reject);
  });
  rmSync(directory, { recursive: true, force: true });
  return rate;
}

async function idleDelay() {
  const delay = monitorEventLoopDelay({ resolution: 1 });
  delay.enable();
  await new Promise((resolve) => setTimeout(resolve, 1000));
  delay.disable();
  return delay.percentile(99) / 1e6;
}

const median = (numbers) =>
  quantile(
    [...numbers].sort((a, b) => a - b),
    0.5,
  );
const rates = { ours: [], bare: [] };
const delays = [];
const idle = await idleDelay();
for (let pair = 1; pair <= pairs; pair += 1) {
  const bareRate = await bare();
  const { rate, delayMs } = await ours();
  rates.bare.push(bareRate);
  rates.ours.push(rate);
  delays.push(delayMs);
  console.log(
    `pair ${pair}: bare ${Math.round(bareRate)}/s, store ${Math.round(rate)}/s, ratio ${(rate / bareRate).toFixed(2)}, loop delay p99 ${delayMs.toFixed(1)} ms`,
  );
}
const ratio = median(rates.ours) / median(rates.bare);
console.log(
  `medians: bare ${Math.round(median(rates.bare))}/s, store ${Math.round(median(rates.ours))}/s, ratio ${ratio.toFixed(2)} (bar 0.60)`,
);
console.log(
  `loop delay p99: idle ${idle.toFixed(1)} ms, busy ${median(delays).toFixed(1)} ms (bar ${(idle + 5).toFixed(1)} ms)`,
);
if (ratio < 0.6 || median(delays) > idle + 5) process.exitCode = MISSED;
