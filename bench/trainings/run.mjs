// Does a training cost inference anything? A thousand tasks on a server of four slots, with a training that sleeps on the
// same server and without one, in turns, on one gateway. How much the server saw at once is its own count.
//
//   node bench/trainings/run.mjs [--pairs 5] [--tasks 1000] [--clients 16]

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { Pool } from "undici";
import { startNode } from "../lib/children.mjs";
import { MISSED, report } from "../lib/ratios.mjs";

const { values } = parseArgs({
  options: {
    pairs: { type: "string", default: "5" },
    tasks: { type: "string", default: "1000" },
    clients: { type: "string", default: "16" },
  },
});
const [pairs, tasks, clients] = [values.pairs, values.tasks, values.clients].map(Number);
const SLOTS = 4;
/** Long enough that slots and not processors are the limit: one slot less would be seen as a quarter less. */
const WORK_MS = 10;
const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const text = "The patient was seen on 12 March 2024 in the clinic. ".repeat(8);

async function ask(pool, path, { method = "GET", headers, body } = {}) {
  const answer = await pool.request({ method, path, headers, body });
  const said = await answer.body.text();
  if (answer.statusCode >= 300) throw new Error(`${method} ${path}: ${answer.statusCode} ${said}`);
  return said;
}

async function until(isSo) {
  for (let tries = 0; tries < 600; tries += 1) {
    if (await isSo()) return;
    await sleep(50);
  }
  throw new Error("nothing changed for 30 s");
}

const directory = mkdtempSync(join(tmpdir(), "modelgate-bench-"));
const serverArgs = ["--port", "0", "--engine", "echo", "--faults", "--run-ms", "3600000", "--capacity", "64"];
const server = await startNode(here("../../examples/nlp-server/dist/main.js"), serverArgs, /"url":"([^"]+)"/);
const gateway = await startNode(
  here("../../packages/http-server/dist/cli.js"),
  ["serve", "--port", "0", "--data-dir", directory, "--server", `nlp=${server.match[1]}#limit=${SLOTS}`],
  /listening on (http:\/\/[\d.]+:\d+)/,
);
const toServer = new Pool(server.match[1]);
const toGateway = new Pool(gateway.match[1], { connections: clients, pipelining: 1 });

async function beginTraining() {
  const form = new FormData();
  const data = new Blob([JSON.stringify([text, text])], { type: "application/json" });
  form.append("training_data", data, "notes.json");
  const answer = await fetch(`${gateway.match[1]}/models/nlp/tasks/train_unsupervised`, {
    method: "POST",
    body: form,
  });
  const { uuid } = await answer.json();
  await until(async () => JSON.parse(await ask(toGateway, `/tasks/${uuid}`)).status === "running");
  return uuid;
}

async function endTraining(uuid) {
  await ask(toGateway, `/tasks/${uuid}`, { method: "DELETE" });
  await until(async () => JSON.parse(await ask(toGateway, `/tasks/${uuid}`)).status === "cancelled");
}

/** Runs the tasks; resolves tasks a second, and the most that the server worked on at once. */
async function load() {
  await ask(toServer, "/_stats", { method: "DELETE" });
  const headers = { "content-type": "text/plain", prefer: "wait=60" };
  let left = tasks;
  const loop = async () => {
    while (left > 0) {
      left -= 1;
      await ask(toGateway, "/models/nlp/tasks/process", { method: "POST", headers, body: text });
    }
  };
  const begunMs = performance.now();
  await Promise.all(Array.from({ length: clients }, loop));
  const perSecond = tasks / ((performance.now() - begunMs) / 1000);
  const { peak, routes } = JSON.parse(await ask(toServer, "/_stats"));
  if (routes["/process"].statuses["200"] !== tasks) throw new Error("the server did not do all of it");
  return { perSecond, peak };
}

let isMet = true;
try {
  await until(
    async () => (await toGateway.request({ method: "GET", path: "/models/nlp" })).statusCode === 200,
  );
  const delay = JSON.stringify({ kind: "delay", next: null, ms: WORK_MS, route: "/process" });
  await ask(toServer, "/_faults", { method: "POST", body: delay });
  await load();
  const figures = [];
  const peaks = [];
  for (let pair = 0; pair < pairs; pair += 1) {
    const alone = await load();
    const uuid = await beginTraining();
    const beside = await load();
    await endTraining(uuid);
    figures.push([alone.perSecond, beside.perSecond]);
    peaks.push(beside.peak);
  }
  isMet = report({
    name: `${tasks} tasks beside a training`,
    ...{ unit: "/s", base: "alone", own: "beside it", pairs: figures, bar: 0.9 },
  });
  const held = SLOTS - Math.min(...peaks);
  console.log(
    `inference slots that the training held: ${held} of ${SLOTS} (bar 0) ${held === 0 ? "met" : "NOT MET"}`,
  );
  if (Math.max(...peaks) > SLOTS) throw new Error(`the server was given ${Math.max(...peaks)} at once`);
  isMet &&= held === 0;
} finally {
  await Promise.all([toServer.destroy(), toGateway.destroy()]);
  await Promise.all([gateway.stop(), server.stop()]);
  rmSync(directory, { recursive: true, force: true });
}
process.exitCode = isMet ? 0 : MISSED;
