// Times one exchange that settles a task and is given one, while all other slots of the server are taken. Runs in a
// process of its own; prints nothing, and sends what it found to whoever started it.
//
// Tasks are refilled as they are taken, so that as many wait afterwards as before.
import { parseArgs } from "node:util";
import { percentile } from "../lib/ratios.mjs";
import { openStore } from "./sides/ours.mjs";
import { LIMIT, newTask, payloadOf, RESULT_REF } from "./tasks.mjs";

const { values } = parseArgs({
  options: {
    claims: { type: "string" },
    lanes: { type: "string", default: "1" },
    models: { type: "string", default: "all" },
  },
});
const url = process.env.BENCH_DATABASE_URL;
const claims = Number(values.claims);
const lanes = Number(values.lanes);
const WARM_UP = 200;

const laneName = (lane) => `bench-${lane}`;

const middle = laneName(Math.floor(lanes / 2));
const models =
  values.models === "one" ? [middle] : Array.from({ length: lanes }, (_, lane) => laneName(lane));
const store = await openStore(url);
const { ledger } = store;

let refilled = 0;
async function refill() {
  const tasks = Array.from({ length: 100 }, () => {
    refilled += 1;
    const model = models.length === 1 ? models[0] : laneName(refilled % lanes);
    return newTask(payloadOf(refilled), refilled % 11, model);
  });
  for (const { outcome, error } of await ledger.submit(tasks)) if (outcome !== "accepted") throw error;
}

function runner(name) {
  let sequence = 0;
  return async (settle, max) => {
    sequence += 1;
    const reply = await ledger.exchange({
      runner: `${name}-${process.pid}`,
      incarnation: "1",
      sequence,
      acknowledged: sequence - 1,
      leaseMs: 600_000,
      settle,
      renew: [],
      want: max === 0 ? [] : [{ server: "server", limit: LIMIT, max, models, background: false, cost: 1 }],
      recover: 0,
      release: [],
    });
    for (const { outcome } of reply.settled) if (outcome !== "accepted") throw new Error(outcome);
    if (reply.grants.length !== max)
      throw new Error(`${reply.grants.length} grants where ${max} were wanted`);
    return reply.grants;
  };
}

for (let batch = 0; batch < 3; batch += 1) await refill();
const refOf = ({ task, attempt }) => ({ id: task.id, attempt });
const busy = runner("busy");
const held = await busy([], LIMIT - 1);
const exchange = runner("one");

const times = [];
let settle = [];
for (let count = 1; count <= claims + WARM_UP; count += 1) {
  const begin = performance.now();
  const grants = await exchange(settle, 1);
  if (count > WARM_UP) times.push(performance.now() - begin);
  settle = grants.map((grant) => ({
    ...refOf(grant),
    kind: "succeeded",
    result: RESULT_REF,
    releaseHold: false,
  }));
  if (count % 100 === 0) await refill();
}
await exchange(settle, 0);
// What is held goes back, so that the next to measure finds what this one found.
const back = { kind: "returned", counts: false, delayMs: 0, releaseHold: false };
await busy(
  held.map((grant) => ({ ...refOf(grant), ...back })),
  0,
);
await store.close();
times.sort((a, b) => a - b);
process.send({ p50: percentile(times, 0.5), p99: percentile(times, 0.99) }, () => process.exit(0));
