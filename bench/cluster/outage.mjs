// What do submitters, waiters and processes make of a service that is gone for a while under load? PostgreSQL and then S3
// are stopped, and started again. With `--store-wait-ms 0` submitters must get 503 with Retry-After; with more than the
// outage they must be kept waiting for PostgreSQL. A large body cannot wait for S3, as it is a stream that nothing keeps.
// Everything accepted must end, and no process may.
//
// node bench/cluster/outage.mjs [--out-seconds 30] [--store-wait-ms 0] [--clients 16]
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { MISSED } from "../lib/ratios.mjs";
import { openCluster, statusOf, submit } from "./cluster.mjs";

const { values } = parseArgs({
  options: {
    "out-seconds": { type: "string", default: "30" },
    "store-wait-ms": { type: "string", default: "0" },
    clients: { type: "string", default: "16" },
  },
});
const [outSeconds, storeWaitMs, clients] = ["out-seconds", "store-wait-ms", "clients"].map((name) =>
  Number(values[name]),
);
const BETWEEN_MS = 5_000;
const LARGE = "x".repeat(100_000);

const cluster = await openCluster({
  ...{ gateways: 2, schedulers: 2, limit: 16, workMs: 20, objects: "s3" },
  env: { MODELGATE_STORE_WAIT_MS: String(storeWaitMs) },
});
const everybody = [...cluster.processes.gateways, ...cluster.processes.schedulers];
const accepted = [];
const phases = [];
let phase;
let isOver = false;
const begin = (name) => {
  phase = { name, answers: new Map(), withoutHint: 0, longestMs: 0 };
  phases.push(phase);
};

async function client(number) {
  for (let at = 0; !isOver; at += 1) {
    const text = `text ${number}.${at} ${at % 4 === 0 ? LARGE : ""}`;
    const of = phase;
    const beganMs = performance.now();
    const { status, headers, text: body } = await submit(cluster.doors[number % 2], text);
    of.longestMs = Math.max(of.longestMs, performance.now() - beganMs);
    of.answers.set(status, (of.answers.get(status) ?? 0) + 1);
    if (status === 200) accepted.push(JSON.parse(body).uuid);
    else if (status === 503 && headers["retry-after"] !== undefined) await sleep(200);
    else of.withoutHint += 1;
    await sleep(20);
  }
}

try {
  begin("all is well");
  const working = Promise.all(Array.from({ length: clients }, (_, number) => client(number)));
  await sleep(BETWEEN_MS);
  for (const [name, service] of [
    ["PostgreSQL", cluster.postgres],
    ["S3", cluster.s3],
  ]) {
    begin(`${name} is gone`);
    await service.stop();
    await sleep(outSeconds * 1000);
    begin(`${name} is back`);
    await service.restart();
    await sleep(BETWEEN_MS);
  }
  isOver = true;
  await working;
  const open = await untilEnded(120_000);
  const gone = everybody.filter(({ child }) => child.exitCode !== null || child.signalCode !== null).length;
  for (const { name, answers, withoutHint, longestMs } of phases) {
    const counts = [...answers].map(([status, count]) => `${count} × ${status}`).join(", ");
    console.log(
      `  ${name}: ${counts || "no answer"}; ${withoutHint} refused without a hint; the longest took ${(longestMs / 1000).toFixed(1)} s`,
    );
  }
  const refused = phases.reduce((sum, { answers }) => sum + (answers.get(503) ?? 0), 0);
  const ofPostgres = phases.filter(({ name }) => name === "PostgreSQL is gone");
  const hasWaited = ofPostgres.every(({ answers }) => !answers.has(503));
  const asConfigured = storeWaitMs > outSeconds * 1000 ? hasWaited : !hasWaited;
  const isClear = phases.every(({ withoutHint }) => withoutHint === 0);
  const isMet = open === 0 && gone === 0 && asConfigured && isClear;
  console.log(
    `each service gone for ${outSeconds} s, storeWaitMs ${storeWaitMs}: ${accepted.length} accepted, ${open} of them not ended (bar 0), ${gone} processes ended (bar 0), ${refused} refused ${isMet ? "met" : "NOT MET"}`,
  );
  if (!isMet) process.exitCode = MISSED;
} finally {
  isOver = true;
  await cluster.close();
}

async function untilEnded(limitMs) {
  const untilMs = performance.now() + limitMs;
  let open = accepted;
  while (open.length > 0 && performance.now() < untilMs) {
    const still = [];
    const rest = open.values();
    const look = async () => {
      for (const id of rest) if ((await statusOf(cluster.doors[0], id)) !== "succeeded") still.push(id);
    };
    await Promise.all(Array.from({ length: 16 }, look));
    open = still;
    if (open.length > 0) await sleep(300);
  }
  return open.length;
}
