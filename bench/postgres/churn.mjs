// What does a day leave behind? Tasks run through a ledger by the million, and every one of them leaves dead rows and
// dead entries in its indexes, in front of those that wait. Claims are then timed in turns there and in a ledger with
// the same backlog where nothing ran: once with few waiting, once with a backlog that waits all the time. Autovacuum is
// as the store sets it, and nothing is vacuumed by hand.
//
// --old-snapshot keeps a transaction open meanwhile, as a long report or a backup does, so that no dead row can be
// removed. That is for information.
//
// node bench/postgres/churn.mjs [--tasks 1000000] [--waiting 1000,100000] [--claims 2000] [--pairs 3] [--old-snapshot]
//   [--server postgres://…]
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { forkNode } from "../lib/children.mjs";
import { MISSED, report } from "../lib/ratios.mjs";
import { bundleStore, pg } from "./load-store.mjs";
import { openServer } from "./server.mjs";
import { openStore } from "./sides/ours.mjs";
import { fillLedger, LIMIT, newTask, payloadOf, RESULT_REF } from "./tasks.mjs";

const { values } = parseArgs({
  options: {
    tasks: { type: "string", default: "1000000" },
    waiting: { type: "string", default: "1000,100000" },
    claims: { type: "string", default: "2000" },
    pairs: { type: "string", default: "3" },
    "old-snapshot": { type: "boolean", default: false },
    server: { type: "string" },
  },
});
const tasks = Number(values.tasks);
const LANE = "bench-0";
const SUBMITTED_AHEAD = 2000;
const SUBMIT = 200;
await bundleStore();
const server = await openServer(values.server);
const file = fileURLToPath(new URL("claim-loop.mjs", import.meta.url));

/** A backlog of the lowest priority, so that everything else goes before it. */
async function backlogOf(count) {
  const database = await server.database();
  const store = await openStore(database.url);
  await fillLedger(store.ledger, 0, count, (number) => newTask(payloadOf(number), 0, LANE));
  await store.close();
  await database.settle();
  return database;
}

/** Runs tasks through in front of what waits, which stays. Tells how the rate went. */
async function churn({ url }) {
  const store = await openStore(url);
  const { ledger } = store;
  let accepted = 0;
  let granted = 0;
  let ended = 0;
  const submitting = (async () => {
    while (accepted < tasks) {
      if (accepted - granted >= SUBMITTED_AHEAD) {
        await sleep(1);
        continue;
      }
      const batch = Array.from({ length: Math.min(SUBMIT, tasks - accepted) }, () =>
        newTask(payloadOf(0), 5, LANE),
      );
      for (const { outcome, error } of await ledger.submit(batch)) if (outcome !== "accepted") throw error;
      accepted += batch.length;
    }
  })();

  const parts = [];
  let settle = [];
  let partBegan = performance.now();
  for (let sequence = 1; ended < tasks; ) {
    // Never more than were accepted, so that the backlog is not touched.
    const max = Math.min(LIMIT, accepted - granted);
    if (max === 0 && settle.length === 0) {
      await sleep(1);
      continue;
    }
    const want = [{ server: "churn", limit: LIMIT, max, models: [LANE], background: false, cost: 1 }];
    const { grants, settled } = await ledger.exchange({
      ...{ runner: "churn", incarnation: "1", sequence, acknowledged: sequence - 1, leaseMs: 60_000 },
      ...{ settle, renew: [], want: max === 0 ? [] : want, recover: 0, release: [] },
    });
    sequence += 1;
    for (const { outcome } of settled) if (outcome !== "accepted") throw new Error(outcome);
    ended += settled.length;
    granted += grants.length;
    if (grants.some(({ task }) => task.priority !== 5)) throw new Error("the backlog was touched");
    settle = grants.map(({ task, attempt }) => ({
      ...{ id: task.id, attempt, kind: "succeeded", result: RESULT_REF, releaseHold: false },
    }));
    if (ended >= (tasks / 5) * (parts.length + 1)) {
      parts.push(tasks / 5 / ((performance.now() - partBegan) / 1000));
      partBegan = performance.now();
    }
  }
  await submitting;
  await store.close();
  console.log(
    `  ran ${tasks} through; tasks/s by fifths: ${parts.map((rate) => rate.toFixed(0)).join(", ")}`,
  );
}

async function query(url, text) {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  const { rows } = await client.query(text);
  await client.end();
  return rows;
}

async function tellSizes({ url }) {
  const rows = await query(
    url,
    `SELECT relname AS name, n_live_tup AS live, n_dead_tup AS dead, autovacuum_count AS vacuums,
       pg_table_size(relid) >> 20 AS "table", pg_indexes_size(relid) >> 20 AS indexes
     FROM pg_stat_user_tables WHERE pg_total_relation_size(relid) > 1 << 20 ORDER BY relname`,
  );
  for (const { name, live, dead, vacuums, table, indexes } of rows)
    console.log(
      `  ${name}: ${live} rows, ${dead} dead, ${vacuums} autovacuums, ${table} MiB, indexes ${indexes} MiB`,
    );
}

async function keepSnapshot({ url }) {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  await client.query("BEGIN ISOLATION LEVEL REPEATABLE READ");
  await client.query("SELECT count(*) FROM pg_class");
  return () => client.end();
}

const measure = ({ env }) => forkNode(file, ["--claims", values.claims], { env }).next();

async function compare(waiting) {
  console.log(`\n${waiting} waiting`);
  const still = await backlogOf(waiting);
  const busy = await backlogOf(waiting);
  const release = values["old-snapshot"] ? await keepSnapshot(busy) : async () => {};
  await churn(busy);
  await tellSizes(busy);
  const pairs = [];
  for (let pair = 0; pair < Number(values.pairs); pair += 1)
    pairs.push([await measure(still), await measure(busy)]);
  await release();
  const common = { unit: "ms", digits: 3, base: "still", own: "after it" };
  for (const [what, bar] of [
    ["p50", 1.5],
    ["p99", 3],
  ]) {
    const name = `claims after ${tasks} ended beside ${waiting} waiting, ${what}`;
    const each = pairs.map(([base, own]) => [base[what], own[what]]);
    const atMost = values["old-snapshot"] ? undefined : bar;
    if (!report({ ...common, name, pairs: each, atMost })) process.exitCode = MISSED;
  }
  await still.drop();
  await busy.drop();
}

try {
  for (const waiting of values.waiting.split(",").map(Number)) await compare(waiting);
} finally {
  await server.close();
}
