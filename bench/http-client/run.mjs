// Which HTTP client sends tasks to model servers? POST of 2 KB of text, 200 with 2 KB of JSON, keep-alive, 64 in
// flight, the answer read to its end. Every round runs each client once, in an order that turns with the round, so
// that a slow moment of the machine meets all of them; the ratios are medians over rounds.
//
//   node bench/http-client/run.mjs [--rounds 7] [--seconds 2] [--in-flight 64]

import { fork } from "node:child_process";
import { once } from "node:events";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

// The version that core declares, whatever lies elsewhere.
const require = createRequire(new URL("../../packages/core/package.json", import.meta.url));
const { Agent, fetch: undiciFetch } = require("undici");

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "7" },
    seconds: { type: "string", default: "2" },
    "in-flight": { type: "string", default: "64" },
  },
});
const rounds = Math.max(5, Number(values.rounds));
const runMs = Number(values.seconds) * 1000;
const inFlight = Number(values["in-flight"]);

const server = fork(fileURLToPath(new URL("server.mjs", import.meta.url)));
const [{ port, answerBytes }] = await once(server, "message");
const origin = `http://127.0.0.1:${port}`;
const body = Buffer.alloc(2048, "Patient diagnosed with loss of kidney function. ");
const headers = { "content-type": "text/plain" };

const agent = new Agent({ connections: inFlight, pipelining: 1, headersTimeout: 0, bodyTimeout: 0 });
const fetchAgent = new Agent({ connections: inFlight, pipelining: 1 });

async function length(stream) {
  let bytes = 0;
  for await (const chunk of stream) bytes += chunk.byteLength;
  return bytes;
}

function dispatch() {
  return new Promise((resolve, reject) => {
    let bytes = 0;
    agent.dispatch(
      { origin, path: "/process", method: "POST", headers, body },
      {
        onRequestStart() {},
        onResponseStart() {},
        onResponseData(_controller, chunk) {
          bytes += chunk.byteLength;
        },
        onResponseEnd: () => resolve(bytes),
        onResponseError: (_controller, error) => reject(error),
      },
    );
  });
}

const clients = {
  "undici request": async () =>
    length((await agent.request({ origin, path: "/process", method: "POST", headers, body })).body),
  "undici dispatch": dispatch,
  "undici fetch": async () =>
    length(
      (await undiciFetch(`${origin}/process`, { method: "POST", headers, body, dispatcher: fetchAgent }))
        .body,
    ),
  "global fetch": async () =>
    length((await fetch(`${origin}/process`, { method: "POST", headers, body })).body),
};

async function measure(send, ms) {
  const startedAt = performance.now();
  const cpuBefore = process.cpuUsage();
  const deadline = startedAt + ms;
  let calls = 0;
  const loop = async () => {
    while (performance.now() < deadline) {
      if ((await send()) !== answerBytes) throw new Error("short answer");
      calls += 1;
    }
  };
  await Promise.all(Array.from({ length: inFlight }, loop));
  const elapsed = performance.now() - startedAt;
  const cpu = process.cpuUsage(cpuBefore);
  return { perSecond: (calls / elapsed) * 1000, cpuMicros: (cpu.user + cpu.system) / calls };
}

function median(numbers) {
  const sorted = numbers.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

const names = Object.keys(clients);
for (const name of names) await measure(clients[name], 1000);

const results = Object.fromEntries(names.map((name) => [name, []]));
for (let round = 0; round < rounds; round += 1) {
  const turned = [...names.slice(round % names.length), ...names.slice(0, round % names.length)];
  if (round % 2 === 1) turned.reverse();
  for (const name of turned) results[name].push(await measure(clients[name], runMs));
}

console.log(`node ${process.version}, ${rounds} rounds of ${runMs} ms, ${inFlight} in flight`);
const first = names[0];
for (const name of names) {
  const perSecond = median(results[name].map((result) => result.perSecond));
  const cpu = median(results[name].map((result) => result.cpuMicros));
  const ratios = results[first].map((result, round) => result.perSecond / results[name][round].perSecond);
  const range = `${Math.min(...ratios).toFixed(2)}-${Math.max(...ratios).toFixed(2)}`;
  console.log(
    `${name.padEnd(16)} ${perSecond.toFixed(0).padStart(6)} calls/s  ${cpu.toFixed(0).padStart(4)} µs CPU/call  ` +
      `${first} is ${median(ratios).toFixed(2)} times as fast (${range})`,
  );
}

server.disconnect();
await agent.close();
await fetchAgent.close();
