// Large payloads and results over HTTP: the gateway against a bare server that writes the body to a file and syncs it
// (up) or sends a file (down), and the gateway's peak memory over its idle one.
// `node bench/transfer/run.mjs [--mib 2048] [--small-mib 200] [--pairs 3]`
import { mkdtempSync, rmSync } from "node:fs";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { startNode } from "../lib/children.mjs";
import { peakMib, resetPeak, residentMib } from "../lib/memory.mjs";
import { MISSED, report } from "../lib/ratios.mjs";

const { values } = parseArgs({
  options: {
    mib: { type: "string", default: "2048" },
    "small-mib": { type: "string", default: "200" },
    pairs: { type: "string", default: "3" },
    "content-type": { type: "string", default: "text/plain" },
  },
});
const MIB = 1024 * 1024;
/** Removing a large file keeps the file system busy for a while. */
const REST_MS = 2000;
const [mib, smallMib, pairs] = [values.mib, values["small-mib"], values.pairs].map(Number);
const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const piece = Buffer.alloc(MIB, "The patient was seen. ");

/** Sends `sizeMib` and resolves the answer's text, with how fast it went up to the answer. */
async function upload(url, sizeMib, headers = {}) {
  const startedMs = performance.now();
  const outgoing = request(url, {
    method: "POST",
    headers: { "content-length": sizeMib * MIB, ...headers },
  });
  const answered = new Promise((resolve, reject) => outgoing.on("response", resolve).on("error", reject));
  for (let sent = 0; sent < sizeMib; sent += 1) {
    if (!outgoing.write(piece)) await new Promise((resolve) => outgoing.once("drain", resolve));
  }
  outgoing.end();
  const response = await answered;
  let text = "";
  for await (const chunk of response) text += chunk;
  if (response.statusCode !== 200) throw new Error(`${url} answered ${response.statusCode}: ${text}`);
  return { text, mibPerSecond: sizeMib / ((performance.now() - startedMs) / 1000) };
}

async function download(url, sizeMib) {
  const startedMs = performance.now();
  const response = await new Promise((resolve, reject) => request(url, resolve).on("error", reject).end());
  let bytes = 0;
  for await (const chunk of response) bytes += chunk.length;
  if (response.statusCode !== 200 || bytes !== sizeMib * MIB) {
    throw new Error(`${url} answered ${response.statusCode} with ${bytes} bytes`);
  }
  return sizeMib / ((performance.now() - startedMs) / 1000);
}

const directory = mkdtempSync(join(tmpdir(), "modelgate-transfer-"));
const bare = await startNode(here("bare.mjs"), [directory], /listening on (\d+)/);
const bareUrl = `http://127.0.0.1:${bare.match[1]}/`;
const model = await startNode(here("model-server.mjs"), [], /listening on (\d+)/);
const modelUrl = `http://127.0.0.1:${model.match[1]}`;
const args = ["serve", "--port", "0", "--data-dir", join(directory, "gateway"), "--server", `m=${modelUrl}`];
const gateway = await startNode(
  here("../../packages/http-server/dist/cli.js"),
  args,
  /listening on (http:\/\/[\d.]+:\d+)/,
);
const origin = gateway.match[1];
const { pid } = gateway.child;

async function json(path, init) {
  const answer = await fetch(`${origin}${path}`, init);
  return answer.json();
}

async function submit(sizeMib) {
  const sent = await upload(`${origin}/models/m/tasks/process`, sizeMib, {
    "content-type": values["content-type"],
  });
  return { ...sent, uuid: JSON.parse(sent.text).uuid };
}

async function ended(uuid) {
  for (;;) {
    const { status } = await json(`/tasks/${uuid}`);
    if (["succeeded", "failed", "cancelled"].includes(status)) return status;
    await sleep(50);
  }
}

/** Has the model server answer with so much; resolves the task once its result is stored. */
async function makeResult(sizeMib) {
  const { uuid } = await json("/models/m/tasks/process", {
    method: "POST",
    headers: { "content-type": "text/plain" },
    body: String(sizeMib * MIB),
  });
  const status = await ended(uuid);
  if (status !== "succeeded") throw new Error(`the result of ${sizeMib} MiB ended as ${status}`);
  return uuid;
}

/**
 * As retention does in the end. A virtual machine that has given memory back to its host takes several times as long to
 * write into it anew, so a side that kept its files would be measured against one that used the same memory again.
 */
function forgetPayloads() {
  rmSync(join(directory, "gateway/objects/objects/payloads"), { recursive: true, force: true });
}

let isMet = true;
try {
  for (let tries = 0; (await fetch(`${origin}/models/m`)).status !== 200; tries += 1) {
    if (tries === 100) throw new Error("the model server was not found");
    await sleep(100);
  }
  await sleep(2000);
  const idleMib = residentMib(pid);
  // Code and heap are warm from here on, so that only the size of what is sent differs.
  await ended((await submit(smallMib)).uuid);
  await download(`${origin}/tasks/${await makeResult(smallMib)}?download=true`, smallMib);

  const peaks = [];
  for (const sizeMib of [smallMib, mib]) {
    resetPeak(pid);
    const { uuid } = await submit(sizeMib);
    await ended(uuid);
    const upMib = peakMib(pid);
    resetPeak(pid);
    const result = await makeResult(sizeMib);
    const backMib = peakMib(pid);
    resetPeak(pid);
    await download(`${origin}/tasks/${result}?download=true`, sizeMib);
    const downMib = peakMib(pid);
    forgetPayloads();
    peaks.push(Math.max(upMib, backMib, downMib) - idleMib);
    const figures = [upMib, backMib, downMib].map((figure) => figure.toFixed(0));
    console.log(
      `memory at ${sizeMib} MiB: idle ${idleMib.toFixed(0)} MiB, peak up and on to the model ${figures[0]}, the result back ${figures[1]}, down ${figures[2]}`,
    );
  }
  const growth = peaks[1] / peaks[0];
  const isSmall = peaks[1] <= 96 && growth <= 1.1;
  console.log(
    `peak over idle: ${peaks[0].toFixed(0)} MiB at ${smallMib}, ${peaks[1].toFixed(0)} MiB at ${mib} (bar 96), ratio ${growth.toFixed(2)} (bar 1.10) ${isSmall ? "met" : "NOT MET"}`,
  );

  await fetch(`${modelUrl}/busy`);
  const up = [];
  for (let pair = 0; pair < pairs; pair += 1) {
    const base = await upload(bareUrl, mib);
    if (pair < pairs - 1) await fetch(bareUrl, { method: "DELETE" });
    await sleep(REST_MS);
    const own = await submit(mib);
    await fetch(`${origin}/tasks/${own.uuid}`, { method: "DELETE" });
    forgetPayloads();
    await sleep(REST_MS);
    up.push([base.mibPerSecond, own.mibPerSecond]);
  }
  await fetch(`${modelUrl}/free`);
  const result = await makeResult(mib);
  const down = [];
  for (let pair = 0; pair < pairs; pair += 1) {
    down.push([await download(bareUrl, mib), await download(`${origin}/tasks/${result}?download=true`, mib)]);
  }
  const shape = { unit: "MiB/s", base: "bare", own: "gateway", bar: 0.8 };
  isMet = report({ ...shape, name: `${mib} MiB up`, pairs: up }) && isMet;
  isMet = report({ ...shape, name: `${mib} MiB down`, pairs: down }) && isMet && isSmall;
} finally {
  await gateway.stop();
  await Promise.all([bare.stop(), model.stop()]);
  rmSync(directory, { recursive: true, force: true });
}
process.exitCode = isMet ? 0 : MISSED;
