// Does a claim cost the same however much waits? Times an exchange that settles the task before and grants one, with
// 1,000 and with 1,000,000 waiting, in one lane and in 10,000; with 10,000 lanes once for a server of all of them and
// once for a server of one. Also what the waiting tasks add to the resident memory of a process that opens the store.
//
// node bench/sqlite/claims.mjs [--waiting 1000000] [--claims 5000]
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { MISSED } from "../lib/ratios.mjs";
import { loadStore, quantile } from "./load-store.mjs";

const { values } = parseArgs({
  options: {
    waiting: { type: "string" },
    claims: { type: "string" },
    child: { type: "string" },
    lanes: { type: "string" },
    models: { type: "string" },
  },
});
const waiting = Number(values.waiting ?? 1_000_000);
const claims = Number(values.claims ?? 5000);

const payload = { sizeBytes: 100, contentType: "application/json", inline: new Uint8Array(100).fill(97) };
const nameOf = (lane) => `model-${lane}`;

function newTask(id, model, priority) {
  const common = {
    operation: "process",
    owner: "",
    query: "",
    repeatable: true,
    background: false,
    maxFailures: 5,
  };
  return { ...common, id, model, priority, boostMs: 3_600_000, waitMs: 86_400_000, payload };
}

async function fill(ledger, count, lanes) {
  for (let at = 0; at < count; at += 5000) {
    const tasks = Array.from({ length: Math.min(5000, count - at) }, (_, index) => {
      const number = at + index;
      return newTask(
        `${((number * 2654435761) % 4294967296).toString(36)}-${number}`,
        nameOf(number % lanes),
        number % 11,
      );
    });
    await ledger.submit(tasks);
  }
}

/** Runs in a process of its own, so that its memory is its own. Keeps the number of waiting tasks as it is. */
async function child() {
  const { openSqliteStore } = await loadStore();
  const { store } = openSqliteStore({ directory: values.child });
  const { ledger } = store;
  const lanes = Number(values.lanes);
  const models =
    values.models === "all"
      ? Array.from({ length: lanes }, (_, lane) => nameOf(lane))
      : [nameOf(Math.floor(lanes / 2))];
  const times = [];
  let settle = [];
  let from = 10_000_000 + process.pid * 1000;
  const runner = `bench-${process.pid}`;
  // As many as are taken; all in its own lane for a server of one, which would empty it.
  const refill = async () => {
    const tasks = Array.from({ length: 100 }, (_, index) => {
      const number = from + index;
      return newTask(
        `refill-${number}`,
        models.length === 1 ? models[0] : nameOf(number % lanes),
        number % 11,
      );
    });
    from += 100;
    await ledger.submit(tasks);
  };
  for (let batch = 0; batch < 3; batch += 1) await refill();
  for (let sequence = 1; sequence <= claims + 200; sequence += 1) {
    const begin = performance.now();
    const { grants } = await ledger.exchange({
      runner,
      incarnation: "1",
      sequence,
      acknowledged: sequence - 1,
      leaseMs: 60_000,
      settle,
      renew: [],
      want: [{ server: "s", limit: 10, max: 1, models, background: false, cost: 1 }],
      recover: 0,
      release: [],
    });
    if (sequence > 200) times.push(performance.now() - begin);
    if (grants.length !== 1) throw new Error(`${grants.length} grants`);
    settle = grants.map(({ task, attempt }) => ({
      id: task.id,
      attempt,
      kind: "cancelled",
      releaseHold: false,
    }));
    if (sequence % 100 === 0) await refill();
  }
  globalThis.gc?.();
  const rss = process.memoryUsage().rss;
  await store.close();
  times.sort((a, b) => a - b);
  console.log(JSON.stringify({ p50: quantile(times, 0.5), p99: quantile(times, 0.99), rss }));
}

function measure(directory, lanes, models) {
  const self = fileURLToPath(import.meta.url);
  const options = [
    "--claims",
    String(claims),
    "--child",
    directory,
    "--lanes",
    String(lanes),
    "--models",
    models,
  ];
  return JSON.parse(execFileSync(process.execPath, ["--expose-gc", self, ...options], { encoding: "utf8" }));
}

async function parent() {
  const { openSqliteStore } = await loadStore();
  const prepare = async (count, lanes) => {
    const directory = mkdtempSync(join(tmpdir(), "modelgate-bench-"));
    const { store } = openSqliteStore({ directory });
    const begin = performance.now();
    await fill(store.ledger, count, lanes);
    if (lanes > count) throw new Error("fewer tasks than lanes");
    await store.close();
    console.log(
      `filled ${count} in ${lanes} lanes: ${Math.round((count / (performance.now() - begin)) * 1000)}/s`,
    );
    return directory;
  };
  for (const [lanes, models] of [
    [1, "all"],
    [10_000, "all"],
    [10_000, "one"],
  ]) {
    // A lane of 10,000 has at least one task; the small backlog of the many lanes is one each.
    const few = await prepare(lanes === 1 ? 1000 : 10_000, lanes);
    const many = await prepare(waiting, lanes);
    // In turns, and the best of each: whatever else runs on the machine only ever adds.
    const rounds = Array.from({ length: 3 }, () => [
      measure(few, lanes, models),
      measure(many, lanes, models),
    ]);
    const best = (side, what) => Math.min(...rounds.map((round) => round[side][what]));
    const [small, large] = [0, 1].map((side) => ({
      p50: best(side, "p50"),
      p99: best(side, "p99"),
      rss: best(side, "rss"),
    }));
    console.log(
      `${lanes} lanes, server of ${models}: p50 ${small.p50.toFixed(3)} -> ${large.p50.toFixed(3)} ms (${(large.p50 / small.p50).toFixed(2)}x, bar 1.5), ` +
        `p99 ${small.p99.toFixed(2)} -> ${large.p99.toFixed(2)} ms (${(large.p99 / small.p99).toFixed(2)}x, bar 3), ` +
        `memory ${((large.rss - small.rss) / 2 ** 20).toFixed(0)} MiB more (bar 32)`,
    );
    const isMet =
      large.p50 <= 1.5 * small.p50 && large.p99 <= 3 * small.p99 && large.rss - small.rss <= 32 * 2 ** 20;
    if (!isMet) process.exitCode = MISSED;
    for (const directory of [few, many]) rmSync(directory, { recursive: true, force: true });
  }
}

await (values.child === undefined ? parent() : child());
