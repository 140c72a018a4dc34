// Does an urgent task start next? With 100,000 waiting in its lane and every slot taken, a task of priority 10 is
// submitted, and one slot becomes free: the urgent task must be what is granted for it.
//
// node bench/postgres/urgent.mjs [--waiting 100000] [--tries 100] [--server postgres://…]
import { parseArgs } from "node:util";
import { MISSED, percentile } from "../lib/ratios.mjs";
import { bundleStore } from "./load-store.mjs";
import { openServer } from "./server.mjs";
import { openStore } from "./sides/ours.mjs";
import { fillLedger, LIMIT, MODEL, newTask, payloadOf, RESULT_REF } from "./tasks.mjs";

const { values } = parseArgs({
  options: {
    waiting: { type: "string", default: "100000" },
    tries: { type: "string", default: "100" },
    server: { type: "string" },
  },
});
await bundleStore();
const server = await openServer(values.server);

try {
  const database = await server.database();
  const store = await openStore(database.url);
  const { ledger } = store;
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
  for (let attempt = 0; attempt < Number(values.tries); attempt += 1) {
    const urgent = newTask(payloadOf(attempt), 10);
    const begin = performance.now();
    const [{ outcome, error }] = await ledger.submit([urgent]);
    if (outcome !== "accepted") throw error;
    const { task, attempt: minted } = held.shift();
    const ending = {
      id: task.id,
      attempt: minted,
      kind: "succeeded",
      result: RESULT_REF,
      releaseHold: false,
    };
    const grants = await exchange([ending], 1);
    times.push(performance.now() - begin);
    if (grants.length === 1 && grants[0].task.id === urgent.id) next += 1;
    held.push(...grants);
  }
  await store.close();
  times.sort((a, b) => a - b);
  const isMet = next === Number(values.tries);
  console.log(
    `urgent among ${values.waiting} waiting: ${next} of ${values.tries} were the next grant ${isMet ? "met" : "NOT MET"}; ` +
      `submit and grant p50 ${percentile(times, 0.5).toFixed(2)} ms, p99 ${percentile(times, 0.99).toFixed(2)} ms`,
  );
  if (!isMet) process.exitCode = MISSED;
} finally {
  await server.close();
}
