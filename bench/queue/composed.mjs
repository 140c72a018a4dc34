// What does a queue beside the task store cost and gain, against the store's own ledger? The driver of bench/postgres: the
// same server in the same run, one handler call for each task, at most 100 held at any time, hints by each set-up's own
// wake-ups. Sides take turns, each in a process, a database and a namespace of its own.
//
// steady: a thread submits, 100 submits under way, at most 300 tasks not ended.
// rate:   200 tasks a second instead, for the time from a submit to its handler.
//
// node bench/queue/composed.mjs [--pairs 5] [--seconds 5]
//   [--sides postgres+redis,postgres+rabbitmq,sqlite+redis,postgres+redis+wakeups]
//   [--only steady|rate] [--fsync everysec|always] [--rabbitmq 3|4] [--rate 200] [--ahead 300]
//
// With BENCH_STEPS=1 it tells how long each call of store and queue takes.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { startRabbitmq, startRedis } from "../../scripts/services/index.mjs";
import { forkNode } from "../lib/children.mjs";
import { treeMs } from "../lib/cpu.mjs";
import { MISSED, median, report } from "../lib/ratios.mjs";
import { bundleStore } from "../postgres/load-store.mjs";
import { openServer } from "../postgres/server.mjs";
import { bundleParts } from "./parts.mjs";

const { values } = parseArgs({
  options: {
    pairs: { type: "string", default: "5" },
    seconds: { type: "string", default: "5" },
    sides: {
      type: "string",
      default: "postgres+redis,postgres+rabbitmq,sqlite+redis,postgres+redis+wakeups",
    },
    only: { type: "string" },
    fsync: { type: "string", default: "everysec" },
    rabbitmq: { type: "string", default: "3" },
    rate: { type: "string", default: "200" },
    ahead: { type: "string", default: "300" },
  },
});
/** Of the native ledger's tasks a second at least, and of its submit-to-start p50 at most. */
const BARS = { "postgres+redis": { perSecond: 0.5, p50: 1 } };
const sides = values.sides.split(",");
const file = fileURLToPath(new URL("../postgres/side.mjs", import.meta.url));
const directory = mkdtempSync(join(tmpdir(), "bench-queue-"));

await bundleStore();
await bundleParts();
const server = await openServer();
const brokers = {};

async function brokerOf(side) {
  const kind = side.split("+")[1];
  if (kind === undefined) return undefined;
  brokers[kind] ??=
    kind === "redis"
      ? await startRedis({ persistence: values.fsync === "always" ? "aof-always" : "aof" })
      : await startRabbitmq({ version: Number(values.rabbitmq) });
  return brokers[kind];
}

async function once(side, rate) {
  const database = await server.database();
  const broker = await brokerOf(side);
  const args = ["--side", side, "--mode", "steady", "--tasks", "0", "--seconds", values.seconds];
  args.push("--in-flight", "100", "--ahead", values.ahead, "--rate", String(rate));
  const env = { ...database.env, BENCH_BROKER_URL: broker?.url ?? "", BENCH_DIRECTORY: directory };
  const child = forkNode(file, args, { env });
  const used = () => server.cpuMs() + (broker?.pids.reduce((sum, pid) => sum + treeMs(pid), 0) ?? 0);
  try {
    await child.next();
    await database.settle({ hasRows: false });
    const before = used();
    child.send("go");
    const { result } = await child.next();
    return { ...result, serverUs: ((used() - before) / result.total) * 1000 };
  } finally {
    child.kill();
    await database.drop();
  }
}

function tell(side, results) {
  const of = (what, digits = 0) => median(results.map((result) => result[what])).toFixed(digits);
  console.log(
    `  ${side}: ${of("perSecond")} tasks/s, submit to start p50 ${of("p50", 2)} ms, p99 ${of("p99", 2)} ms, processor time a task ${of("clientUs")} µs in the client and ${of("serverUs")} µs in the servers`,
  );
}

async function compare(side, mode) {
  const rate = mode === "rate" ? Number(values.rate) : 0;
  console.log(`\n${side} against PostgreSQL alone, ${rate > 0 ? `${rate} tasks a second` : "steady"}`);
  const pairs = [];
  for (let pair = 0; pair < Number(values.pairs); pair += 1)
    pairs.push([await once("ours", rate), await once(side, rate)]);
  for (const [at, name] of ["ours", side].entries())
    tell(
      name,
      pairs.map((pair) => pair[at]),
    );
  const ratios = (what) => pairs.map(([base, own]) => [base[what], own[what]]);
  const bars = BARS[side] ?? {};
  const common = { base: "PostgreSQL", own: side };
  if (mode === "steady") {
    const name = "tasks a second";
    const isMet = report({ ...common, name, unit: "/s", pairs: ratios("perSecond"), bar: bars.perSecond });
    report({ ...common, name: "submit to start, p50", unit: "ms", digits: 2, pairs: ratios("p50") });
    return isMet;
  }
  const told = { ...common, unit: "ms", digits: 2 };
  report({ ...told, name: "submit to start, p99", pairs: ratios("p99") });
  return report({ ...told, name: "submit to start, p50", pairs: ratios("p50"), atMost: bars.p50 });
}

try {
  for (const side of sides) {
    for (const mode of values.only === undefined ? ["steady", "rate"] : [values.only])
      if (!(await compare(side, mode))) process.exitCode = MISSED;
  }
} finally {
  await server.close();
  for (const broker of Object.values(brokers)) await broker.close();
  rmSync(directory, { recursive: true, force: true });
}
