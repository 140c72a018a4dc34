// Does a claim cost the same however much waits? Times an exchange that settles one task and is given one, with all
// other slots taken, among 1,000, 100,000 and 1,000,000 waiting tasks, in one lane; and in 10,000 lanes, once for a
// server of all of them and once for a server of one.
//
// node bench/postgres/claims.mjs [--waiting 100000,1000000] [--claims 3000] [--pairs 3] [--lanes 10000]
//   [--server postgres://…]
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { forkNode } from "../lib/children.mjs";
import { MISSED, report } from "../lib/ratios.mjs";
import { bundleStore } from "./load-store.mjs";
import { openServer } from "./server.mjs";
import { openStore } from "./sides/ours.mjs";
import { fillLedger, newTask, payloadOf } from "./tasks.mjs";

const { values } = parseArgs({
  options: {
    waiting: { type: "string", default: "100000,1000000" },
    claims: { type: "string", default: "3000" },
    pairs: { type: "string", default: "3" },
    lanes: { type: "string", default: "10000" },
    server: { type: "string" },
  },
});
const backlogs = values.waiting.split(",").map(Number);
const manyLanes = Number(values.lanes);
await bundleStore();
const server = await openServer(values.server);
const file = fileURLToPath(new URL("claim-loop.mjs", import.meta.url));

async function filled(count, lanes) {
  const database = await server.database();
  const store = await openStore(database.url);
  const begin = performance.now();
  const taskOf = (number) => newTask(payloadOf(number), number % 11, `bench-${number % lanes}`);
  await fillLedger(store.ledger, 0, count, taskOf);
  console.log(
    `filled ${count} in ${lanes} lanes: ${Math.round((count / (performance.now() - begin)) * 1000)}/s`,
  );
  await store.close();
  await database.settle();
  return database;
}

const measure = ({ env }, lanes, models) =>
  forkNode(file, ["--claims", values.claims, "--lanes", String(lanes), "--models", models], { env }).next();

async function compare(few, many, lanes, models, name) {
  const pairs = [];
  for (let pair = 0; pair < Number(values.pairs); pair += 1)
    pairs.push([await measure(few, lanes, models), await measure(many, lanes, models)]);
  const common = { unit: "ms", digits: 3, base: "few", own: "many" };
  for (const [what, atMost] of [
    ["p50", 1.5],
    ["p99", 3],
  ]) {
    const each = pairs.map(([base, own]) => [base[what], own[what]]);
    if (!report({ ...common, name: `${name}, ${what}`, pairs: each, atMost })) process.exitCode = MISSED;
  }
}

try {
  const few = await filled(1000, 1);
  for (const count of backlogs) {
    const many = await filled(count, 1);
    await compare(few, many, 1, "all", `${count} waiting against 1000`);
    await many.drop();
  }
  // A lane has at least one task, so the small backlog of many lanes is one in each.
  const most = Math.max(...backlogs);
  const fewInMany = await filled(manyLanes, manyLanes);
  const manyInMany = await filled(most, manyLanes);
  for (const models of ["all", "one"]) {
    const name = `${most} against ${manyLanes} waiting in ${manyLanes} lanes, a server of ${models}`;
    await compare(fewInMany, manyInMany, manyLanes, models, name);
  }
} finally {
  await server.close();
}
