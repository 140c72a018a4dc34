// What goes straight to a server against a bare reverse proxy to the same server: 2 KB texts over one connection and
// over 64, and the first byte of a stream against the server itself, all in the same run.
// `node bench/http/pass.mjs [--pairs 5] [--seconds 4] [--clients 64] [--streams 200]`
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { Pool } from "undici";
import { startNode } from "../lib/children.mjs";
import { MISSED, median, percentile, report } from "../lib/ratios.mjs";

const { values } = parseArgs({
  options: {
    pairs: { type: "string", default: "5" },
    seconds: { type: "string", default: "4" },
    clients: { type: "string", default: "64" },
    streams: { type: "string", default: "200" },
    // Another build of the command, such as that of another commit.
    cli: { type: "string" },
  },
});
const [pairs, seconds, clients, streams] = [values.pairs, values.seconds, values.clients, values.streams].map(
  Number,
);
const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const text = "The patient was seen on 12 March 2024 in the clinic. ".repeat(40).slice(0, 2048);

/** Sends texts over so many connections for the given time; resolves with calls per second and sorted times. */
async function load({ origin, path }, connections) {
  const pool = new Pool(origin, { connections, pipelining: 1 });
  const timesMs = [];
  const untilMs = performance.now() + seconds * 1000;
  const loop = async () => {
    for (let beganMs = performance.now(); beganMs < untilMs; beganMs = performance.now()) {
      // A gateway gets to know a server's slots as it goes; until then some wait.
      const headers = { "content-type": "text/plain", prefer: "wait=30" };
      const { statusCode, body } = await pool.request({ method: "POST", path, headers, body: text });
      const bytes = await body.arrayBuffer();
      if (statusCode !== 200 || bytes.byteLength < 1900) throw new Error(`${origin} answered ${statusCode}`);
      timesMs.push(performance.now() - beganMs);
    }
  };
  const startedMs = performance.now();
  await Promise.all(Array.from({ length: connections }, loop));
  const perSecond = timesMs.length / ((performance.now() - startedMs) / 1000);
  await pool.close();
  return { perSecond, timesMs: timesMs.sort((a, b) => a - b) };
}

/** Until the first byte of each of some streams, one after the other; sorted. */
async function firstBytes({ origin, stream }) {
  const pool = new Pool(origin, { connections: 1, pipelining: 1 });
  const timesMs = [];
  for (let count = 0; count < streams; count += 1) {
    const beganMs = performance.now();
    const { body } = await pool.request({ method: "GET", path: stream });
    const iterator = body[Symbol.asyncIterator]();
    await iterator.next();
    timesMs.push(performance.now() - beganMs);
    while (!(await iterator.next()).done);
  }
  await pool.close();
  return timesMs.sort((a, b) => a - b);
}

const directory = mkdtempSync(join(tmpdir(), "modelgate-bench-"));
const target = await startNode(here("target.mjs"), [], /listening on (\d+)/);
const targetPort = target.match[1];
const proxy = await startNode(here("proxy.mjs"), [targetPort], /listening on (\d+)/);
const gateway = await startNode(
  values.cli ?? here("../../packages/http-server/dist/cli.js"),
  [
    ...["serve", "--port", "0", "--data-dir", directory],
    // As many as there are connections: waiting for a slot is not what is measured.
    ...["--server", `instant=http://127.0.0.1:${targetPort}#limit=256`, "--direct-share", "1"],
  ],
  /listening on (http:\/\/[\d.]+:\d+)/,
);
const server = { origin: `http://127.0.0.1:${targetPort}`, path: "/process", stream: "/stream" };
const bare = { ...server, origin: `http://127.0.0.1:${proxy.match[1]}` };
const own = { origin: gateway.match[1], path: "/models/instant/process", stream: "/models/instant/stream" };

/** Alternating runs of both, after one of ours that warms up. */
async function inPairs(base, run) {
  await run(own);
  const figures = [];
  for (let pair = 0; pair < pairs; pair += 1) figures.push([await run(base), await run(own)]);
  return figures;
}

/** A bar that is a difference. */
function within(name, base, figures, limitMs) {
  const medians = figures.map((pair) => pair.map((timesMs) => percentile(timesMs, 0.5)));
  report({ name: `${name}, p50`, unit: "ms", base, own: "gateway", pairs: medians, digits: 3 });
  const moreMs = median(medians.map(([baseMs, ownMs]) => ownMs - baseMs));
  const isMet = moreMs <= limitMs;
  console.log(
    `${name}: p50 is ${moreMs.toFixed(3)} ms more (bar ${limitMs} ms) ${isMet ? "met" : "NOT MET"}`,
  );
  return isMet;
}

let isMet = true;
try {
  for (let tries = 0; tries < 100; tries += 1) {
    const answer = await fetch(`${own.origin}/models/instant`);
    await answer.arrayBuffer();
    if (answer.status === 200) break;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  const single = await inPairs(bare, (side) => load(side, 1));
  const times = single.map((pair) => pair.map(({ timesMs }) => timesMs));
  isMet = within("one connection", "proxy", times, 0.5) && isMet;
  const many = await inPairs(bare, (side) => load(side, clients));
  isMet =
    report({
      name: `${clients} connections`,
      unit: "/s",
      base: "proxy",
      own: "gateway",
      pairs: many.map((pair) => pair.map(({ perSecond }) => perSecond)),
      bar: 0.6,
    }) && isMet;
  isMet = within("first byte of a stream", "server", await inPairs(server, firstBytes), 5) && isMet;
} finally {
  await gateway.stop();
  await Promise.all([proxy.stop(), target.stop()]);
  rmSync(directory, { recursive: true, force: true });
}
process.exitCode = isMet ? 0 : MISSED;
