// Does throughput fall when more processes share the ledger? 1, 2 and 4 processes drain the same backlog for the same
// server, whose limit holds for all of them together: each taking whatever is free, which leaves most to one of them, and
// each taking its share. And two that submit with two that run do the same work as one of each.
//
// A gateway's runner asks for whatever is free; the shares are for information.
//
// node bench/postgres/processes.mjs [--tasks 20000] [--pairs 5] [--only both] [--server postgres://…]
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { forkNode } from "../lib/children.mjs";
import { MISSED, report } from "../lib/ratios.mjs";
import { bundleStore } from "./load-store.mjs";
import { openServer } from "./server.mjs";
import { countEnded, fill, prepare } from "./sides/ours.mjs";
import { LIMIT, nowUs } from "./tasks.mjs";

const { values } = parseArgs({
  options: {
    tasks: { type: "string", default: "20000" },
    pairs: { type: "string", default: "5" },
    only: { type: "string" },
    server: { type: "string" },
  },
});
const tasks = Number(values.tasks);
/** It must not fall; two runs of the very same differ by this much. */
const BAR = 0.95;
await bundleStore();
const server = await openServer(values.server);
const file = fileURLToPath(new URL("role.mjs", import.meta.url));

/** Tasks that end in a second. With no submitters the tasks are there at the beginning. */
async function once({ submitters, runners, shares }) {
  const database = await server.database();
  const start = (role, more = []) => forkNode(file, ["--role", role, ...more], { env: database.env });
  const children = [];
  try {
    await prepare(database.url);
    if (submitters === 0) await fill(database.url, tasks);
    await database.settle();
    const share = ["--tasks", String(tasks / Math.max(1, submitters))];
    for (let at = 0; at < submitters; at += 1) children.push(start("submit", share));
    const slots = ["--slots", String(shares ? Math.ceil(LIMIT / runners) : LIMIT)];
    const running = Array.from({ length: runners }, () => start("run", slots));
    children.push(...running);
    for (const child of children) await child.next();
    const beginUs = nowUs();
    for (const child of children) child.send("go");

    const ended = running.map(() => 0);
    let lastUs = 0;
    let isOver = () => {};
    const over = new Promise((resolve, reject) => {
      isOver = resolve;
      running.forEach((child, at) => {
        const listen = async () => {
          for (;;) {
            const told = await child.next();
            ended[at] = told.ended;
            lastUs = Math.max(lastUs, told.lastUs);
            if (ended.reduce((sum, each) => sum + each) >= tasks) isOver();
          }
        };
        // What ends after everything ended is us.
        listen().catch(reject);
      });
    });
    await over;
    await sleep(50);
    const total = ended.reduce((sum, each) => sum + each);
    const rows = await countEnded(database.url);
    if (total !== tasks || rows !== tasks)
      throw new Error(`${total} endings and ${rows} rows of ${tasks} tasks`);
    return { perSecond: (tasks / (lastUs - beginUs)) * 1e6, shares: ended };
  } finally {
    for (const child of children) child.kill();
    await database.drop();
  }
}

function nameOf({ submitters, runners, shares }) {
  const submitting = submitters === 0 ? "" : `${submitters} submitting, `;
  return `${submitting}${runners} running${shares ? " by shares" : ""}`;
}

async function compare(base, own) {
  const pairs = [];
  for (let pair = 0; pair < Number(values.pairs); pair += 1) {
    const first = await once(base);
    const second = await once(own);
    console.log(`  ${nameOf(own)}: ended by each ${second.shares.join(", ")}`);
    pairs.push([first.perSecond, second.perSecond]);
  }
  const common = { base: nameOf(base), own: nameOf(own), unit: "tasks/s" };
  if (
    !report({
      ...common,
      name: `${nameOf(own)} against ${nameOf(base)}`,
      pairs,
      bar: own.shares ? undefined : BAR,
    })
  )
    process.exitCode = MISSED;
}

try {
  const alone = { submitters: 0, runners: 1, shares: false };
  if (values.only !== "both") {
    for (const shares of [false, true])
      for (const runners of [2, 4]) await compare(alone, { submitters: 0, runners, shares });
  }
  const oneOfEach = { submitters: 1, runners: 1, shares: false };
  await compare(oneOfEach, { submitters: 2, runners: 2, shares: false });
  await compare(oneOfEach, { submitters: 2, runners: 2, shares: true });
} finally {
  await server.close();
}
