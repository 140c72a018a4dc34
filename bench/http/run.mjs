// Tasks per second over HTTP against a bare reverse proxy to the same server: 64 clients, 2 KB texts, an instant
// server, default settings on SQLite. `node bench/http/run.mjs [--pairs 5] [--seconds 4] [--clients 64]`
// `--cpu` also tells, for each task, the processor time of every thread, and the share of it that was idle.
import { mkdtempSync, rmSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { Pool } from "undici";
import { startNode } from "../lib/children.mjs";
import { idleMs, threadsOf, usedBetween } from "../lib/cpu.mjs";
import { MISSED, report } from "../lib/ratios.mjs";

const { values } = parseArgs({
  options: {
    pairs: { type: "string", default: "5" },
    seconds: { type: "string", default: "4" },
    clients: { type: "string", default: "64" },
    mode: { type: "string", default: "wait,poll" },
    cpu: { type: "boolean", default: false },
  },
});
const [pairs, seconds, clients] = [values.pairs, values.seconds, values.clients].map(Number);
const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const text = "The patient was seen on 12 March 2024 in the clinic. ".repeat(40).slice(0, 2048);
const headers = { "content-type": "text/plain" };

/** Runs `one` in as many loops as there are clients, for the given time; resolves completions per second. */
async function load(origin, one) {
  const pool = new Pool(origin, { connections: clients, pipelining: 1 });
  let isOver = false;
  let completed = 0;
  const loop = async () => {
    while (!isOver) {
      await one(pool);
      if (!isOver) completed += 1;
    }
  };
  const cpu = values.cpu ? beginCpu() : undefined;
  const startedMs = performance.now();
  const timer = setTimeout(() => {
    isOver = true;
  }, seconds * 1000);
  await Promise.all(Array.from({ length: clients }, loop));
  clearTimeout(timer);
  const tookMs = performance.now() - startedMs;
  cpu?.(completed, tookMs);
  const perSecond = completed / (tookMs / 1000);
  await pool.close();
  return perSecond;
}

/** Looks at every process now; what it returns looks again and tells the difference. */
function beginCpu() {
  const pids = {
    gateway: gateway.child.pid,
    proxy: proxy.child.pid,
    server: target.child.pid,
    client: process.pid,
  };
  const before = Object.values(pids).map(threadsOf);
  const idleBefore = idleMs();
  return (completed, tookMs) => {
    const idle = (idleMs() - idleBefore) / (tookMs * availableParallelism());
    const parts = [`idle ${(100 * idle).toFixed(0)} %`];
    for (const [at, [name, pid]] of Object.entries(pids).entries()) {
      const threads = usedBetween(before[at], threadsOf(pid));
      // Threads that do next to nothing only lengthen the line.
      for (const { userMs, systemMs } of threads.filter(
        (used) => used.userMs + used.systemMs > tookMs / 50,
      )) {
        const each = (ms) => ((1000 * ms) / completed).toFixed(0);
        parts.push(`${name} ${each(userMs)}+${each(systemMs)} µs`);
      }
    }
    console.log(`  ${(completed / (tookMs / 1000)).toFixed(0)}/s: ${parts.join(", ")}`);
  };
}

async function call(pool, options) {
  const { statusCode, body } = await pool.request(options);
  const bytes = await body.arrayBuffer();
  return { statusCode, bytes };
}

async function proxied(pool) {
  const { statusCode, bytes } = await call(pool, { method: "POST", path: "/process", headers, body: text });
  if (statusCode !== 200 || bytes.byteLength < 1900) throw new Error(`the proxy answered ${statusCode}`);
}

const submitPath = "/models/instant/tasks/process";

async function waited(pool) {
  const { statusCode, bytes } = await call(pool, {
    method: "POST",
    path: submitPath,
    headers: { ...headers, prefer: "wait=30" },
    body: text,
  });
  if (statusCode !== 200 || bytes.byteLength < 1900) throw new Error(`the gateway answered ${statusCode}`);
}

async function polled(pool) {
  const submitted = await call(pool, { method: "POST", path: submitPath, headers, body: text });
  const { uuid } = JSON.parse(Buffer.from(submitted.bytes).toString());
  for (;;) {
    const { bytes } = await call(pool, { method: "GET", path: `/tasks/${uuid}` });
    const { status } = JSON.parse(Buffer.from(bytes).toString());
    if (status === "succeeded") break;
    if (status === "failed" || status === "cancelled") throw new Error(`task ${uuid} ended as ${status}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  const { bytes } = await call(pool, { method: "GET", path: `/tasks/${uuid}?download=true` });
  if (bytes.byteLength < 1900) throw new Error("the result is short");
}

const directory = mkdtempSync(join(tmpdir(), "modelgate-bench-"));
const target = await startNode(here("target.mjs"), [], /listening on (\d+)/);
const targetPort = target.match[1];
const proxy = await startNode(here("proxy.mjs"), [targetPort], /listening on (\d+)/);
const serve = [
  "serve",
  "--port",
  "0",
  "--data-dir",
  directory,
  "--server",
  `instant=http://127.0.0.1:${targetPort}`,
];
const gateway = await startNode(
  here("../../packages/http-server/dist/cli.js"),
  serve,
  /listening on (http:\/\/[\d.]+:\d+)/,
);
const proxyOrigin = `http://127.0.0.1:${proxy.match[1]}`;
const gatewayOrigin = gateway.match[1];

const modes = { wait: { one: waited, bar: 0.35 }, poll: { one: polled, bar: 0.1 } };
let isMet = true;
try {
  for (let tries = 0; tries < 100; tries += 1) {
    const answer = await fetch(`${gatewayOrigin}/models/instant`);
    await answer.arrayBuffer();
    if (answer.status === 200) break;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  for (const mode of values.mode.split(",")) {
    const { one, bar } = modes[mode];
    await load(gatewayOrigin, one);
    const figures = [];
    for (let pair = 0; pair < pairs; pair += 1) {
      figures.push([await load(proxyOrigin, proxied), await load(gatewayOrigin, one)]);
    }
    isMet =
      report({
        name: `${clients} clients, ${mode}`,
        unit: "/s",
        base: "proxy",
        own: "gateway",
        pairs: figures,
        bar,
      }) && isMet;
  }
} finally {
  await gateway.stop();
  await Promise.all([proxy.stop(), target.stop()]);
  rmSync(directory, { recursive: true, force: true });
}
process.exitCode = isMet ? 0 : MISSED;
