// How long until everything waits again, once a broker has lost everything? With 100,000 waiting in PostgreSQL, of all
// priorities, and two runners at work, Redis is flushed, or every queue of RabbitMQ purged. Measured until the queue has
// as many entries ready as tasks wait in the store (less what the runners are just taking). Then 2,000 more are granted
// and their order is looked at; in the end no task may have been handed out twice.
//
// node bench/queue/lost.mjs [--waiting 100000] [--brokers redis,rabbitmq] [--losses 3] [--limit-seconds 5]
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { forkNode } from "../lib/children.mjs";
import { MISSED } from "../lib/ratios.mjs";
import { openServer } from "../postgres/server.mjs";
import { fillLedger, MODEL, newTask, payloadOf, RESULT_REF } from "../postgres/tasks.mjs";
import { startBroker } from "./brokers.mjs";
import { openComposed } from "./composed-ledger.mjs";
import { LANE } from "./entries.mjs";
import { bundleParts } from "./parts.mjs";

const { values } = parseArgs({
  options: {
    waiting: { type: "string", default: "100000" },
    brokers: { type: "string", default: "redis,rabbitmq" },
    losses: { type: "string", default: "3" },
    "limit-seconds": { type: "string", default: "5" },
  },
});
/** Of both runners, whose tasks take 100 ms, so that they end 500 a second. */
const SLOTS = 50;
const file = fileURLToPath(new URL("lost-runner.mjs", import.meta.url));
const LOOKED_AT = 2000;
/** As the adapter's own: where its bands begin. */
const BAND_LEADS_HOURS = [7.5, 5.5, 4.5, 2.5];
const HOUR_MS = 3_600_000;

await bundleParts();
const server = await openServer();

async function untilAllWait({ ledger, queue }, wanted = SLOTS) {
  const beganMs = performance.now();
  for (;;) {
    const { lanes } = await ledger.stats();
    const { ready } = await queue.stats({ lanes: [LANE] });
    if (ready[0] >= (lanes[0]?.waiting ?? 0) - wanted) return performance.now() - beganMs;
    if (performance.now() - beganMs > 120_000) throw new Error(`after 120 s ${ready[0]} entries are ready`);
    await sleep(20);
  }
}

/** Grants so many in turns of one and tells how many came after one that should have been later. */
async function wrongOrder({ ledger }, isBanded) {
  const nowMs = Date.now();
  const placeOf = ({ rank }) => (isBanded ? bandOf((nowMs - rank) / HOUR_MS) : rank);
  let [sequence, wrong, seen, empty] = [0, 0, 0, 0];
  let last = Number.NEGATIVE_INFINITY;
  let settle = [];
  while (seen < Math.min(LOOKED_AT, Number(values.waiting) / 4)) {
    sequence += 1;
    const { grants } = await ledger.exchange({
      ...{
        runner: "order",
        incarnation: String(nowMs),
        sequence,
        acknowledged: sequence - 1,
        leaseMs: 60_000,
      },
      ...{ settle, renew: [], recover: 0, release: [] },
      want: [{ server: "other", limit: 50, max: 50, models: [MODEL], background: false, cost: 1 }],
    });
    if (grants.length === 0) {
      empty += 1;
      if (empty > 100) throw new Error("nothing was granted in 100 exchanges");
      await sleep(20);
    }
    const places = grants.map(({ task }) => placeOf(task));
    // One exchange's grants are a set: in order among each other they need not be.
    if (Math.min(...places) < last) wrong += places.filter((place) => place < last).length;
    last = Math.max(last, ...places);
    seen += grants.length;
    settle = grants.map(({ task, attempt }) => {
      return { id: task.id, attempt, kind: "succeeded", result: RESULT_REF, releaseHold: false };
    });
  }
  sequence += 1;
  await ledger.exchange({
    ...{ runner: "order", incarnation: String(nowMs), sequence, acknowledged: sequence - 1, leaseMs: 60_000 },
    ...{ settle, renew: [], recover: 0, release: [], want: [] },
  });
  return wrong;
}

function bandOf(leadHours) {
  const band = BAND_LEADS_HOURS.findIndex((atLeast) => leadHours >= atLeast);
  return band === -1 ? BAND_LEADS_HOURS.length : band;
}

async function loseOn(kind) {
  const broker = await startBroker(kind);
  const { url, env } = await server.database();
  // What is under way at a purge may fail; that fails no call of the ledger.
  const common = { broker: kind, url, brokerUrl: broker.url, onQueueFailure() {} };
  const one = await openComposed({ store: "postgres", ...common });
  const runners = ["one", "two"].map((name) =>
    forkNode(file, ["--broker", kind, "--name", name, "--limit", String(SLOTS)], {
      env: { ...env, BENCH_BROKER_URL: broker.url },
    }),
  );
  try {
    for (const runner of runners) await runner.next();
    const waiting = Number(values.waiting);
    await fillLedger(one.ledger, 0, waiting, (number) => newTask(payloadOf(number), number % 11));
    await untilAllWait(one);
    // Their first round compares what is there.
    await sleep(2000);
    const times = [];
    let wrong = 0;
    for (let loss = 0; loss < Number(values.losses); loss += 1) {
      if (loss === 0) for (const runner of runners) runner.send("go");
      await sleep(500);
      await broker.lose();
      times.push(await untilAllWait(one));
      wrong += await wrongOrder(one, kind === "rabbitmq");
      // Beyond the pause in which a lane is not filled twice.
      if (loss + 1 < Number(values.losses)) await sleep(12_000);
    }
    const handed = new Map();
    for (const runner of runners) runner.send("stop");
    for (const runner of runners)
      for (const number of (await runner.next()).handed) handed.set(number, (handed.get(number) ?? 0) + 1);
    const twice = [...handed.values()].filter((count) => count > 1).length;
    const slowest = Math.max(...times) / 1000;
    const isMet = slowest <= Number(values["limit-seconds"]) && wrong === 0 && twice === 0;
    console.log(
      `${kind}, all lost with ${waiting} waiting: all wait again after ${times.map((ms) => (ms / 1000).toFixed(2)).join(", ")} s (bar ${values["limit-seconds"]} s), ${wrong} out of order (bar 0), ${handed.size} handed out meanwhile, ${twice} of them twice (bar 0) ${isMet ? "met" : "NOT MET"}`,
    );
    return isMet;
  } finally {
    for (const runner of runners) runner.kill();
    await one.close();
    await broker.service.close();
  }
}

try {
  for (const kind of values.brokers.split(",")) if (!(await loseOn(kind))) process.exitCode = MISSED;
} finally {
  await server.close();
}
