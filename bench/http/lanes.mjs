// Three models: the server of one is dead, of one hangs, of one is healthy. The healthy one's tasks against their
// speed alone. `node bench/http/lanes.mjs [--pairs 5] [--seconds 4] [--clients 32]`
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { Pool } from "undici";
import { startNode } from "../lib/children.mjs";
import { MISSED, report } from "../lib/ratios.mjs";

const { values } = parseArgs({
  options: {
    pairs: { type: "string", default: "5" },
    seconds: { type: "string", default: "4" },
    clients: { type: "string", default: "32" },
  },
});
const [pairs, seconds, clients] = [values.pairs, values.seconds, values.clients].map(Number);
const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const text = "The patient was seen on 12 March 2024 in the clinic. ".repeat(40).slice(0, 2048);

async function post(pool, model, prefer) {
  const headers = { "content-type": "text/plain", ...(prefer === undefined ? {} : { prefer }) };
  const { statusCode, body } = await pool.request({
    method: "POST",
    path: `/models/${model}/tasks/process`,
    headers,
    body: text,
  });
  await body.arrayBuffer();
  if (statusCode !== 200) throw new Error(`${model} answered ${statusCode}`);
}

async function healthyPerSecond(origin) {
  const pool = new Pool(origin, { connections: clients });
  let isOver = false;
  let completed = 0;
  const startedMs = performance.now();
  setTimeout(() => {
    isOver = true;
  }, seconds * 1000);
  const loop = async () => {
    while (!isOver) {
      await post(pool, "healthy", "wait=30");
      completed += 1;
    }
  };
  await Promise.all(Array.from({ length: clients }, loop));
  const perSecond = completed / ((performance.now() - startedMs) / 1000);
  await pool.close();
  return perSecond;
}

const directories = [];
async function serve(servers) {
  const directory = mkdtempSync(join(tmpdir(), "modelgate-bench-"));
  directories.push(directory);
  const args = ["serve", "--port", "0", "--data-dir", directory];
  for (const [name, port] of Object.entries(servers))
    args.push("--server", `${name}=http://127.0.0.1:${port}`);
  return await startNode(
    here("../../packages/http-server/dist/cli.js"),
    args,
    /listening on (http:\/\/[\d.]+:\d+)/,
  );
}

async function untilRunning(origin, model) {
  for (let tries = 0; tries < 100; tries += 1) {
    const answer = await fetch(`${origin}/models/${model}`);
    await answer.arrayBuffer();
    if (answer.status === 200) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`${model} did not become ready`);
}

const healthy = await startNode(here("target.mjs"), [], /listening on (\d+)/);
const hanging = await startNode(here("hanging.mjs"), [], /listening on (\d+)/);
const dead = await startNode(here("target.mjs"), [], /listening on (\d+)/);
const ports = { dead: dead.match[1], hanging: hanging.match[1], healthy: healthy.match[1] };
const alone = await serve({ healthy: ports.healthy });
const mixed = await serve(ports);
try {
  for (const model of ["healthy", "hanging", "dead"]) await untilRunning(mixed.match[1], model);
  await untilRunning(alone.match[1], "healthy");
  // The dead server was alive when its work was accepted, and dies now.
  const pool = new Pool(mixed.match[1], { connections: 16 });
  for (const model of ["dead", "hanging"]) {
    for (let batch = 0; batch < 20; batch += 1) {
      if (model === "dead" && batch === 0) await dead.stop();
      await Promise.all(Array.from({ length: 50 }, () => post(pool, model)));
    }
  }
  await pool.close();
  await healthyPerSecond(alone.match[1]);
  await healthyPerSecond(mixed.match[1]);
  const figures = [];
  for (let pair = 0; pair < pairs; pair += 1) {
    figures.push([await healthyPerSecond(alone.match[1]), await healthyPerSecond(mixed.match[1])]);
  }
  const name = "healthy lane beside a dead and a hanging one";
  process.exitCode = report({ name, unit: "/s", base: "alone", own: "mixed", pairs: figures, bar: 0.9 })
    ? 0
    : MISSED;
} finally {
  await Promise.all([alone, mixed].map((gateway) => gateway.child.kill("SIGKILL")));
  await Promise.all([healthy.stop(), hanging.child.kill("SIGKILL")]);
  for (const directory of directories) rmSync(directory, { recursive: true, force: true, maxRetries: 5 });
}
