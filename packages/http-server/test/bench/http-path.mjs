// What does the way from a socket to a route cost? The same routes over node:http directly, and as a fetch handler
// over @hono/node-server with and without its replacing the process's Request and Response; beside them a bare reverse
// proxy. The gateway behind them answers at once, so that only the HTTP side is measured. Needs a build.
//
//   node packages/http-server/test/bench/http-path.mjs [--rounds 7] [--seconds 2]

import { fork } from "node:child_process";
import { once } from "node:events";
import { createServer, Agent as HttpAgent, request } from "node:http";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { getRequestListener } from "@hono/node-server";
import { Agent } from "undici";
import { serveHttp } from "../../dist/node.js";

const IN_FLIGHT = 64;
const answer = Buffer.alloc(2048, "a");

function instantGateway() {
  let count = 0;
  const task = (id, state) => ({
    id,
    state,
    model: "nlp",
    operation: "process",
    result: { sizeBytes: 2048 },
  });
  const operations = new Map([["process", { name: "process", contentType: "text/plain" }]]);
  return {
    models: () => [{ name: "nlp", isRunning: true, servers: [] }],
    operations: () => operations,
    submit: async () => {
      count += 1;
      return task(`id-${count}`, "pending");
    },
    wait: async (id) => {
      await new Promise((resolve) => setImmediate(resolve));
      return task(id, "succeeded");
    },
    get: async (id) => task(id, "succeeded"),
    result: async (id) => ({
      task: task(id, "succeeded"),
      ...{ status: 200, contentType: "application/json", sizeBytes: 2048, bytes: answer, body: [] },
    }),
  };
}

/** Resolves to the port. */
async function listen(listener) {
  const server = createServer(listener).listen(0, "127.0.0.1");
  await once(server, "listening");
  return server.address().port;
}

const servers = {
  target: () =>
    listen((incoming, response) => {
      incoming.resume().once("end", () => {
        response.writeHead(200, { "content-type": "application/json", "content-length": 2048 }).end(answer);
      });
    }),
  proxy: (port) => {
    const agent = new HttpAgent({ keepAlive: true, maxSockets: 2 * IN_FLIGHT });
    return listen((incoming, response) => {
      const { method, url: path, headers } = incoming;
      const sent = request({ host: "127.0.0.1", port, method, path, headers, agent }, (received) => {
        response.writeHead(received.statusCode, received.headers);
        received.pipe(response);
      });
      incoming.pipe(sent);
    });
  },
  "node:http": async () => (await serveHttp(instantGateway(), { port: 0 })).port,
  fetch: () => fetchServer(false),
  "fetch, replaced globals": () => fetchServer(true),
};

/** The handler is loaded after its host has replaced what it replaces. */
async function fetchServer(overrideGlobalObjects) {
  let fetch;
  const listener = getRequestListener((...args) => fetch(...args), { overrideGlobalObjects });
  const { createHttpHandler } = await import("../../dist/index.js");
  fetch = createHttpHandler(instantGateway()).fetch;
  return listen(listener);
}

const calls = {
  "submit, Prefer: wait": {
    path: "/models/nlp/tasks/process",
    method: "POST",
    headers: { "content-type": "text/plain", prefer: "wait=30" },
    body: Buffer.alloc(2048, "Patient diagnosed with loss of kidney function. "),
  },
  "GET task": { path: "/tasks/abc", method: "GET" },
};

async function measure({ child, port }, call, ms) {
  const agent = new Agent({ connections: IN_FLIGHT, pipelining: 1 });
  const origin = `http://127.0.0.1:${port}`;
  const before = await cpuOf(child);
  const startedAt = performance.now();
  let count = 0;
  const loop = async () => {
    while (performance.now() < startedAt + ms) {
      const response = await agent.request({ origin, ...call });
      await response.body.arrayBuffer();
      if (response.statusCode !== 200) throw new Error(`status ${response.statusCode}`);
      count += 1;
    }
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, loop));
  const perSecond = (count / (performance.now() - startedAt)) * 1000;
  const cpuMicros = ((await cpuOf(child)) - before) / count;
  await agent.close();
  return { perSecond, cpuMicros };
}

async function cpuOf(child) {
  child.send("cpu");
  const [micros] = await once(child, "message");
  return micros;
}

function median(numbers) {
  return numbers.toSorted((a, b) => a - b)[numbers.length >> 1];
}

async function run() {
  const { values } = parseArgs({
    options: { rounds: { type: "string", default: "7" }, seconds: { type: "string", default: "2" } },
  });
  const file = fileURLToPath(import.meta.url);
  const started = {};
  for (const name of Object.keys(servers)) {
    const child = fork(file, [], {
      env: { ...process.env, SERVE: name, TARGET: String(started.target?.port) },
    });
    const [port] = await once(child, "message");
    started[name] = { child, port };
  }
  const names = Object.keys(servers).filter((name) => name !== "target");
  for (const [title, call] of Object.entries(calls)) {
    const results = Object.fromEntries(names.map((name) => [name, []]));
    for (const name of names) await measure(started[name], call, 1000);
    for (let round = 0; round < Number(values.rounds); round += 1) {
      const turned = [...names.slice(round % names.length), ...names.slice(0, round % names.length)];
      for (const name of turned) {
        results[name].push(await measure(started[name], call, Number(values.seconds) * 1000));
      }
    }
    console.log(title);
    for (const name of names) {
      const perSecond = median(results[name].map((result) => result.perSecond)).toFixed(0);
      const cpu = median(results[name].map((result) => result.cpuMicros)).toFixed(0);
      console.log(`  ${name.padEnd(24)} ${perSecond.padStart(6)} calls/s ${cpu.padStart(4)} µs CPU/call`);
    }
  }
  for (const { child } of Object.values(started)) child.disconnect();
}

const serving = process.env.SERVE;
if (serving === undefined) await run();
else {
  process.on("disconnect", () => process.exit());
  process.on("message", () => {
    const { user, system } = process.cpuUsage();
    process.send(user + system);
  });
  process.send(await servers[serving](Number(process.env.TARGET)));
}
