// Does an urgent task start next where the queue is a broker's? With 10,000 waiting in its lane and every slot taken, a task
// of priority 10 is submitted, and one slot becomes free: the urgent task must be what is granted for it. RabbitMQ orders
// by bands; the backlog is of priority 5, two bands below.
//
// node bench/queue/urgent.mjs [--waiting 10000] [--tries 100] [--brokers redis,rabbitmq]
import { parseArgs } from "node:util";
import { MISSED, percentile } from "../lib/ratios.mjs";
import { openServer } from "../postgres/server.mjs";
import { fillLedger, LIMIT, MODEL, newTask, payloadOf, RESULT_REF } from "../postgres/tasks.mjs";
import { startBroker } from "./brokers.mjs";
import { openComposed } from "./composed-ledger.mjs";
import { bundleParts } from "./parts.mjs";

const { values } = parseArgs({
  options: {
    waiting: { type: "string", default: "10000" },
    tries: { type: "string", default: "100" },
    brokers: { type: "string", default: "redis,rabbitmq" },
  },
});
await bundleParts();
const server = await openServer();

async function tryOn(kind) {
  const broker = await startBroker(kind);
  try {
    const { url } = await server.database();
    const composed = await openComposed({ store: "postgres", broker: kind, url, brokerUrl: broker.url });
    const { ledger } = composed;
    await fillLedger(ledger, 0, Number(values.waiting));
    let sequence = 0;
    const exchange = async (settle, max) => {
      sequence += 1;
      const { grants } = await ledger.exchange({
        runner: "bench",
        incarnation: "1",
        sequence,
        acknowledged: sequence - 1,
        leaseMs: 600_000,
        settle,
        renew: [],
        want: [{ server: "server", limit: LIMIT, max, models: [MODEL], background: false, cost: 1 }],
        recover: 0,
        release: [],
      });
      return grants;
    };
    const held = await exchange([], LIMIT);
    if (held.length !== LIMIT) throw new Error(`${held.length} of ${LIMIT} slots were granted`);
    if ((await exchange([], LIMIT)).length > 0) throw new Error("more was granted than there are slots");

    const times = [];
    let next = 0;
    for (let at = 0; at < Number(values.tries); at += 1) {
      const urgent = newTask(payloadOf(at), 10);
      const beganMs = performance.now();
      const [{ outcome, error }] = await ledger.submit([urgent]);
      if (outcome !== "accepted") throw error;
      const { task, attempt } = held.shift();
      const ending = { id: task.id, attempt, kind: "succeeded", result: RESULT_REF, releaseHold: false };
      const grants = await exchange([ending], 1);
      times.push(performance.now() - beganMs);
      if (grants.length === 1 && grants[0].task.id === urgent.id) next += 1;
      held.push(...grants);
    }
    await composed.close();
    times.sort((a, b) => a - b);
    const isMet = next === Number(values.tries);
    console.log(
      `${kind}, urgent among ${values.waiting} waiting: ${next} of ${values.tries} were the next grant ${isMet ? "met" : "NOT MET"}; ` +
        `submit and grant p50 ${percentile(times, 0.5).toFixed(2)} ms, p99 ${percentile(times, 0.99).toFixed(2)} ms`,
    );
    return isMet;
  } finally {
    await broker.service.close();
  }
}

try {
  for (const kind of values.brokers.split(",")) if (!(await tryOn(kind))) process.exitCode = MISSED;
} finally {
  await server.close();
}
