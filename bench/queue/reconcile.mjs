// What does it cost to keep Redis to what PostgreSQL says, with 1,000,000 tasks waiting? First as a gateway does that has
// just started, which enqueues everything again; then for a minute in which nothing is lost, while store and queue are
// compared page by page.
//
// node bench/queue/reconcile.mjs [--tasks 1000000] [--seconds 60] [--lanes 100]
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { treeMs } from "../lib/cpu.mjs";
import { percentile } from "../lib/ratios.mjs";
import { openServer } from "../postgres/server.mjs";
import { fillLedger, newTask, payloadOf } from "../postgres/tasks.mjs";
import { startBroker } from "./brokers.mjs";
import { keepSweeping, openComposed } from "./composed-ledger.mjs";
import { bundleParts } from "./parts.mjs";

const { values } = parseArgs({
  options: {
    tasks: { type: "string", default: "1000000" },
    seconds: { type: "string", default: "60" },
    lanes: { type: "string", default: "100" },
  },
});
await bundleParts();
const server = await openServer();
const broker = await startBroker("redis");

const counts = { read: 0, enqueued: 0, audited: 0 };
/** Counts what passes between ledger, store and queue. */
function counting({ tasks, queue }) {
  const counted = async (field, reading, sizeOf) => {
    const result = await reading;
    counts[field] += sizeOf(result);
    return result;
  };
  const watch = (target, methods) =>
    new Proxy(target, {
      get(_, name) {
        const value = target[name];
        if (typeof value !== "function") return value;
        return methods[name] ?? value.bind(target);
      },
    });
  return {
    tasks: watch(tasks, {
      list: (...args) => counted("read", tasks.list(...args), ({ items }) => items.length),
      get: (...args) => counted("read", tasks.get(...args), ({ length }) => length),
    }),
    queue: watch(queue, {
      enqueue: (batch, ...args) => counted("enqueued", queue.enqueue(batch, ...args), () => batch.length),
      audit: (...args) => counted("audited", queue.audit(...args), ({ items }) => items.length),
    }),
  };
}

const used = () => ({
  atMs: performance.now(),
  gateway: process.cpuUsage().user / 1000 + process.cpuUsage().system / 1000,
  postgres: server.cpuMs(),
  redis: broker.service.pids.reduce((sum, pid) => sum + treeMs(pid), 0),
  ...counts,
});

function tell(name, before, after) {
  const seconds = (after.atMs - before.atMs) / 1000;
  const share = (what) => `${((after[what] - before[what]) / seconds / 10).toFixed(1)} %`;
  const rows = (what) => (after[what] - before[what]).toLocaleString("en");
  console.log(
    `${name}: ${seconds.toFixed(1)} s, ${rows("read")} rows read, ${rows("audited")} entries read, ${rows("enqueued")} enqueued; of a core: gateway ${share("gateway")}, PostgreSQL ${share("postgres")}, Redis ${share("redis")}`,
  );
}

try {
  const database = await server.database();
  const common = { store: "postgres", broker: "redis", url: database.url, brokerUrl: broker.url };
  const tasks = Number(values.tasks);
  const lanes = Number(values.lanes);
  const filling = await openComposed(common);
  const taskOf = (number) => newTask(payloadOf(number), 5, `model-${number % lanes}`);
  await fillLedger(filling.ledger, 0, tasks, taskOf);
  await filling.close();
  await database.settle();

  const composed = await openComposed({ ...common, wrap: counting });
  const beforeStart = used();
  const steps = [];
  for (let hasMore = true; hasMore; ) {
    const beganMs = performance.now();
    hasMore = (await composed.ledger.sweep({ limit: 500, unserved: [] })).more;
    steps.push(performance.now() - beganMs);
  }
  tell(`start with ${tasks.toLocaleString("en")} waiting`, beforeStart, used());
  steps.sort((a, b) => a - b);
  const waiting = (await composed.queue.stats()).waiting;
  console.log(
    `  ${steps.length} steps of at most 10,000 rows: p50 ${percentile(steps, 0.5).toFixed(0)} ms, longest ${steps.at(-1).toFixed(0)} ms; ${waiting.toLocaleString("en")} wait in the queue`,
  );
  if (waiting !== tasks) throw new Error(`${waiting} of ${tasks} tasks wait in the queue`);

  const beforeMinute = used();
  const stop = keepSweeping(composed.ledger, (error) => {
    throw error;
  });
  await sleep(Number(values.seconds) * 1000);
  await stop();
  tell("a while in which nothing is lost", beforeMinute, used());
  await composed.close();
} finally {
  await broker.service.close();
  await server.close();
}
