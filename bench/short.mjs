// Every bench in its shortest form, so that none of them rots: `npm run bench:short`. A missed bar is told and no failure
// here, because so short a run on a busy machine measures nothing; a bench that cannot run is one.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { MISSED } from "./lib/ratios.mjs";

const forms = [
  ["http/run.mjs", "--pairs", "1", "--seconds", "1"],
  ["http/lanes.mjs", "--pairs", "1", "--seconds", "1"],
  ["http/pass.mjs", "--pairs", "1", "--seconds", "1", "--streams", "50"],
  ["http-client/run.mjs", "--rounds", "1", "--seconds", "0.5"],
  ["transfer/run.mjs", "--pairs", "1", "--mib", "64", "--small-mib", "64"],
  ["transfer/s3.mjs", "--pairs", "1", "--mib", "64"],
  ["process/run.mjs", "--pairs", "2", "--idle-seconds", "3"],
  ["soak/run.mjs", "--minutes", "0.2"],
  ["sqlite/cycles.mjs", "--pairs", "1", "--seconds", "1"],
  ["sqlite/claims.mjs", "--waiting", "10000", "--claims", "200"],
  ["postgres/run.mjs", "--pairs", "1", "--tasks", "300", "--seconds", "0.5"],
  ["postgres/claims.mjs", "--waiting", "5000", "--claims", "200", "--pairs", "1", "--lanes", "100"],
  ["postgres/churn.mjs", "--tasks", "5000", "--waiting", "1000", "--claims", "200", "--pairs", "1"],
  ["postgres/processes.mjs", "--tasks", "2000", "--pairs", "1"],
  ["postgres/urgent.mjs", "--waiting", "5000", "--tries", "20"],
  ["cluster/limit.mjs", "--tasks", "40"],
  ["cluster/scale.mjs", "--pairs", "1", "--tasks", "500"],
  ["cluster/outage.mjs", "--out-seconds", "1"],
  ["queue/redis.mjs", "--pairs", "1", "--tasks", "2000", "--peer", "none"],
  ["queue/rabbitmq.mjs", "--pairs", "1", "--tasks", "500", "--wakeups", "20", "--kinds", "quorum"],
  ["queue/composed.mjs", "--pairs", "1", "--seconds", "0.5", "--sides", "postgres+redis", "--only", "steady"],
  ["queue/lost.mjs", "--waiting", "2000", "--losses", "1", "--brokers", "redis"],
  ["queue/urgent.mjs", "--waiting", "500", "--tries", "5", "--brokers", "redis"],
  ["queue/away.mjs", "--out-seconds", "1", "--brokers", "redis"],
  ["queue/reconcile.mjs", "--tasks", "5000", "--seconds", "1"],
  ["trainings/run.mjs", "--pairs", "1", "--tasks", "200"],
  ["docker/run.mjs", "--tries", "4", "--pairs", "1", "--idle-seconds", "2", "--created", "16"],
];

/** Longest that one may take beside another. */
const LIMIT_MS = 240_000;
/** They are run to see that they run, and each waits for much: so two run side by side. */
const LANES = 2;

/** Runs one; resolves to whether it ran, and prints what it said when it has ended. */
async function run([file, ...args], env) {
  const path = fileURLToPath(new URL(file, import.meta.url));
  const beganMs = performance.now();
  const child = spawn(process.execPath, [path, ...args], {
    stdio: ["ignore", "pipe", "pipe"],
    timeout: LIMIT_MS,
    env: { ...process.env, ...env },
  });
  const said = [];
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (piece) => said.push(piece));
  const [code, signal] = await once(child, "close");
  const seconds = Math.round((performance.now() - beganMs) / 1000);
  console.log(`\n# node bench/${file} ${args.join(" ")} (${seconds} s)\n${Buffer.concat(said)}`);
  if (code === 0 || code === MISSED) return true;
  console.error(`bench/${file} ended with ${signal ?? code}`);
  return false;
}

/** The benches of a folder follow one another; those of the queue share what the first of them has bundled. */
const folders = new Map();
for (const form of forms) {
  const [folder] = form[0].split("/");
  folders.set(folder, [...(folders.get(folder) ?? []), form]);
}
// What takes longest comes first, so that nothing is left to run alone.
const rank = ([[file]], { length }) => (file.startsWith("docker/") ? 10 : 0) + length;
const waiting = [...folders.values()].sort((one, other) => rank(other, other) - rank(one, one));
let failed = 0;
async function lane() {
  for (let group = waiting.shift(); group !== undefined; group = waiting.shift()) {
    for (const [at, form] of group.entries()) {
      const isBundled = at > 0 && form[0].startsWith("queue/");
      if (!(await run(form, { BENCH_BUNDLED: isBundled ? "1" : "" }))) failed += 1;
    }
  }
}
await Promise.all(Array.from({ length: LANES }, lane));
console.log(`\n${forms.length - failed} of ${forms.length} benches ran`);
process.exitCode = failed > 0 ? 1 : 0;
