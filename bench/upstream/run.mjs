// CogStack's own gateway beside this one, on the same PostgreSQL, MinIO and model server, one after the other in turns.
// It runs inside an environment in which that gateway is up already, whose processes leave their ids in DIR/run/NAME.pid.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { MISSED, report } from "../lib/ratios.mjs";
import { load } from "./load.mjs";
import { usageOf } from "./processes.mjs";

const requireFromStorage = createRequire(
  new URL("../../packages/adapters-storage/package.json", import.meta.url),
);
const pg = requireFromStorage("pg");
const { Client: MinioClient } = requireFromStorage("minio");

const { values: given } = parseArgs({
  options: {
    environment: { type: "string", default: process.env.UPSTREAM_DIR ?? "" },
    upstream: { type: "string", default: "http://127.0.0.1:8888" },
    model: { type: "string", default: "medcat-umls" },
    server: { type: "string", default: "http://127.0.0.2:8000" },
    postgres: { type: "string", default: "postgres://admin:admin@127.0.0.1:5432/cmg_tasks" },
    minio: { type: "string", default: "http://admin:admin123@127.0.0.1:9000" },
    slots: { type: "string", default: "16" },
    clients: { type: "string", default: "64" },
    tasks: { type: "string", default: "300" },
    "our-tasks": { type: "string", default: "6000" },
    closed: { type: "string", default: "100" },
    pairs: { type: "string", default: "3" },
    command: {
      type: "string",
      default: fileURLToPath(new URL("../../packages/http-server/bin/modelgate.js", import.meta.url)),
    },
  },
});
if (given.environment === "")
  throw new Error("--environment, or UPSTREAM_DIR, names where its processes leave their ids");

const PORT = 8897;
const SCHEMA = "bench_upstream";
const BUCKET = "bench-upstream";
const minio = new URL(given.minio);
const pidOf = (name) => Number(readFileSync(join(given.environment, "run", `${name}.pid`), "utf8"));
/** What both stand on. */
const shared = ["pg", "minio"].map(pidOf);
const sides = {
  upstream: {
    url: given.upstream,
    own: ["gateway", "scheduler", "ripper"].map(pidOf),
    others: ["rabbit", "docker"].map(pidOf),
  },
};

async function sql(text) {
  const client = new pg.Client(given.postgres);
  await client.connect();
  await client.query(text).finally(() => client.end());
}

async function requireBucket() {
  const client = new MinioClient({
    ...{ endPoint: minio.hostname, port: Number(minio.port), useSSL: minio.protocol === "https:" },
    ...{ accessKey: minio.username, secretKey: minio.password },
  });
  if (!(await client.bucketExists(BUCKET))) await client.makeBucket(BUCKET);
}

/** Ours in a schema of its own, with payloads and results inside of rows or, with 0, outside. */
async function startOurs(inlineBytes) {
  await sql(`DROP SCHEMA IF EXISTS ${SCHEMA} CASCADE`);
  const directory = mkdtempSync(join(tmpdir(), "modelgate-bench-"));
  const environment = Object.fromEntries(
    Object.entries(process.env).filter(
      ([name]) => !/^(CMG_|CMS_|MLFLOW_|MODELGATE_|CONFIG_FILE|DOCKER_)/.test(name),
    ),
  );
  const settings = {
    STORE: "postgres",
    ...{ POSTGRES_URL: given.postgres, POSTGRES_SCHEMA: SCHEMA },
    ...{
      OBJECTS: "s3",
      S3_ENDPOINT: minio.origin,
      S3_BUCKET: BUCKET,
      S3_ACCESS_KEY: minio.username,
      S3_SECRET_KEY: minio.password,
    },
    ...{ SERVERS: `${given.model}=${given.server}#limit=${given.slots}`, PORT, DATA_DIR: directory },
    ...(inlineBytes === undefined ? {} : { INLINE_BYTES: inlineBytes }),
  };
  for (const [name, value] of Object.entries(settings)) environment[`MODELGATE_${name}`] = String(value);
  const child = spawn(process.execPath, [given.command, "serve"], {
    env: environment,
    stdio: ["ignore", "ignore", "inherit"],
  });
  const url = `http://127.0.0.1:${PORT}`;
  for (const untilMs = performance.now() + 20_000; ; await sleep(50)) {
    const models = await fetch(`${url}/models/`).then(
      (answer) => answer.json(),
      () => undefined,
    );
    if (models?.running?.length > 0) break;
    if (performance.now() > untilMs || child.exitCode !== null) throw new Error("ours did not start");
  }
  return {
    ...{ url, own: [child.pid], others: [] },
    async close() {
      const gone = once(child, "exit");
      child.kill();
      await gone;
      rmSync(directory, { recursive: true, force: true });
      await sql(`DROP SCHEMA IF EXISTS ${SCHEMA} CASCADE`);
    },
  };
}

async function measure({ url, own, others }, tasks) {
  const common = { url, model: given.model };
  // A process that has served nobody yet is another one.
  await load({ ...common, tasks: Math.min(tasks, 500), clients: 8, mode: "burst", pollMs: 20 });
  const before = usageOf([...own, ...others, ...shared]);
  const burst = await load({ ...common, tasks, clients: Number(given.clients), mode: "burst", pollMs: 20 });
  const cpuMs = (usageOf([...own, ...others, ...shared]).cpuMs - before.cpuMs) / tasks;
  const { memoryMiB } = usageOf(own);
  const closed = await load({
    ...common,
    tasks: Number(given.closed),
    clients: 1,
    mode: "closed",
    pollMs: 2,
  });
  return { perSecond: burst.perSecond, cpuMs, memoryMiB, closedMs: closed.completeMs };
}

/** What is compared: a name, a unit, of which side of ours, which figure, the bar, and digits. */
const BARS = [
  { name: "burst, inlining as it comes", unit: "tasks/s", side: "inline", figure: "perSecond", bar: 30 },
  { name: "burst, inlining off", unit: "tasks/s", side: "outside", figure: "perSecond", bar: 5 },
  { name: "one after another", unit: "ms", side: "inline", figure: "closedMs", atMost: 1 / 5, digits: 2 },
  { name: "CPU of everything", unit: "ms/task", side: "inline", figure: "cpuMs", atMost: 1 / 15, digits: 2 },
  {
    name: "memory of the gateway's own processes",
    unit: "MiB",
    side: "inline",
    figure: "memoryMiB",
    atMost: 1 / 3,
  },
];

await requireBucket();
const rounds = [];
for (let at = 0; at < Number(given.pairs); at += 1) {
  const round = { upstream: await measure(sides.upstream, Number(given.tasks)) };
  for (const [name, inlineBytes, share] of [
    ["inline", undefined, 1],
    ["outside", 0, 1 / 10],
  ]) {
    const ours = await startOurs(inlineBytes);
    round[name] = await measure(ours, Math.ceil(Number(given["our-tasks"]) * share)).finally(() =>
      ours.close(),
    );
  }
  rounds.push(round);
}
const verdicts = BARS.map(({ side, figure, ...bar }) =>
  report({
    ...{ base: "upstream", own: "ours", ...bar },
    pairs: rounds.map((round) => [round.upstream[figure], round[side][figure]]),
  }),
);
if (verdicts.includes(false)) process.exitCode = MISSED;
