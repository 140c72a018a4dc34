// Every bench in its shortest form, so that none of them rots: `npm run bench:short`. A missed bar is told and no failure
// here, because so short a run on a busy machine measures nothing; a bench that cannot run is one.
import { spawnSync } from "node:child_process";
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

let failed = 0;
let hasBundled = false;
for (const [file, ...args] of forms) {
  console.log(`\n# node bench/${file} ${args.join(" ")}`);
  const path = fileURLToPath(new URL(file, import.meta.url));
  const { status, signal } = spawnSync(process.execPath, [path, ...args], {
    stdio: ["ignore", "inherit", "inherit"],
    timeout: 180_000,
    env: { ...process.env, BENCH_BUNDLED: hasBundled ? "1" : "" },
  });
  // The benches of one folder, which follow one another, share what the first of them has bundled.
  hasBundled ||= file.startsWith("queue/");
  if (status === 0 || status === MISSED) continue;
  failed += 1;
  console.error(`bench/${file} ended with ${signal ?? status}`);
}
console.log(`\n${forms.length - failed} of ${forms.length} benches ran`);
process.exitCode = failed > 0 ? 1 : 0;
