// How does our ledger on PostgreSQL compare with the queues that Node users put there? The same server in the same run,
// equal durability, one handler call for each task, at most 100 held at any time, ended rows kept. Sides take turns,
// each in a process and a database of its own.
//
// drain:  20,000 tasks are there; from the worker's start to the commit of the last ending.
// steady: a thread submits at its own pace, 100 submits under way, at most --ahead tasks not ended; 10 s.
//
// node bench/postgres/run.mjs [--pairs 5] [--tasks 20000] [--seconds 10] [--only drain|steady] [--sides bullmq,pg-boss]
//   [--ahead 300] [--in-flight 100] [--rate 0] [--gather 0] [--loops 1] [--server postgres://…]
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { forkNode } from "../lib/children.mjs";
import { MISSED, median, report } from "../lib/ratios.mjs";
import { bundleStore } from "./load-store.mjs";
import { installPeers } from "./peers.mjs";
import { openServer } from "./server.mjs";
import { SIDES } from "./sides/index.mjs";

const { values } = parseArgs({
  options: {
    pairs: { type: "string", default: "5" },
    tasks: { type: "string", default: "20000" },
    seconds: { type: "string", default: "10" },
    only: { type: "string" },
    sides: { type: "string", default: "bullmq,pg-boss,graphile,graphile-ahead" },
    own: { type: "string", default: "ours" },
    ahead: { type: "string", default: "300" },
    "in-flight": { type: "string", default: "100" },
    rate: { type: "string", default: "0" },
    gather: { type: "string", default: "0" },
    loops: { type: "string" },
    server: { type: "string" },
  },
});

/** What our ledger must reach at least of each; it fetches nothing ahead, and graphile-ahead fetches 500. */
const BARS = { bullmq: 2, "pg-boss": 2, graphile: 3, "graphile-ahead": 0.5 };

const own = values.own;
const peers = values.sides.split(",").filter((name) => name !== "");
for (const name of [own, ...peers]) {
  if (SIDES[name] === undefined)
    throw new Error(`there is no side "${name}"; give some of ${Object.keys(SIDES).join(", ")}`);
}
installPeers();
await bundleStore();
const server = await openServer(values.server);
const file = fileURLToPath(new URL("side.mjs", import.meta.url));
const passed = ["tasks", "seconds", "in-flight", "ahead", "rate", "gather", "loops"];
const told = new Set();

async function once(side, mode) {
  const database = await server.database();
  const args = passed.flatMap((name) => (values[name] === undefined ? [] : [`--${name}`, values[name]]));
  const child = forkNode(file, ["--side", side, "--mode", mode, ...args], { env: database.env });
  try {
    await child.next();
    // Where nothing is yet, statistics would tell every planner that nothing ever is.
    await database.settle({ hasRows: mode === "drain" });
    const cpuBefore = server.cpuMs();
    child.send("go");
    const { result, settings } = await child.next();
    if (!told.has(side)) console.log(`  ${SIDES[side].title}: ${settings}`);
    told.add(side);
    return { ...result, serverUs: ((server.cpuMs() - cpuBefore) / result.total) * 1000 };
  } finally {
    child.kill();
    await database.drop();
  }
}

function tell(side, results) {
  const of = (what, digits) => median(results.map((result) => result[what])).toFixed(digits);
  const submits =
    results[0].submittedPerSecond === undefined ? "" : `${of("submittedPerSecond", 0)} submitted, `;
  const waits =
    results[0].p50 === undefined ? "" : `, submit to start p50 ${of("p50", 2)} ms, p99 ${of("p99", 2)} ms`;
  console.log(
    `  ${SIDES[side].title}: ${submits}${of("perSecond", 0)} tasks/s ended${waits}, processor time a task ${of("clientUs", 0)} µs in the client and ${of("serverUs", 0)} µs in the server`,
  );
}

async function compare(mode) {
  let isMet = true;
  for (const peer of peers) {
    console.log(`\n${mode}: ${SIDES[peer].title} against ${SIDES[own].title}`);
    const pairs = [];
    for (let pair = 0; pair < Number(values.pairs); pair += 1)
      pairs.push([await once(peer, mode), await once(own, mode)]);
    tell(
      peer,
      pairs.map(([result]) => result),
    );
    tell(
      own,
      pairs.map(([, result]) => result),
    );
    const ratios = (what) => pairs.map(([base, ours]) => [base[what], ours[what]]);
    const common = { base: peer, own };
    // At a given rate everybody ends what comes, and only the latency differs.
    if (!(mode === "steady" && Number(values.rate) > 0)) {
      const name = `${mode}, tasks/s of ${peer}`;
      isMet =
        report({ ...common, name, unit: "tasks/s", pairs: ratios("perSecond"), bar: BARS[peer] }) && isMet;
    }
    if (mode === "steady") {
      for (const what of ["p50", "p99"])
        report({ ...common, name: `submit to start, ${what}`, unit: "ms", digits: 2, pairs: ratios(what) });
    }
  }
  return isMet;
}

try {
  const modes = values.only === undefined ? ["drain", "steady"] : [values.only];
  for (const mode of modes) if (!(await compare(mode))) process.exitCode = MISSED;
  if (own === "ours") {
    console.log("\nfor information: the driver without a store, and a whole gateway in process");
    if (modes.includes("drain")) tell("memory", [await once("memory", "drain")]);
    for (const mode of modes) tell("gateway", [await once("gateway", mode)]);
  }
} finally {
  await server.close();
}
