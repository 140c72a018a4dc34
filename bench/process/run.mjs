// What a process costs: from its start to the first answer of `modelgate serve` against `node -e 0`, and what an idle
// one uses. `node bench/process/run.mjs [--pairs 10] [--idle-seconds 30]`
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { request } from "node:http";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { startNode } from "../lib/children.mjs";
import { residentMib } from "../lib/memory.mjs";
import { MISSED, median } from "../lib/ratios.mjs";

const { values } = parseArgs({
  options: { pairs: { type: "string", default: "10" }, "idle-seconds": { type: "string", default: "30" } },
});
const [pairs, idleSeconds] = [values.pairs, values["idle-seconds"]].map(Number);
const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const cli = here("../../packages/http-server/bin/modelgate.js");
const TICKS_PER_SECOND = 100;

async function freePort() {
  const server = createServer();
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

function answers(port) {
  return new Promise((resolve) => {
    const asked = request({ port, host: "127.0.0.1", path: "/health" }, (response) => {
      response.resume().on("end", () => resolve(response.statusCode === 200));
    });
    asked.on("error", () => resolve(false)).end();
  });
}

function bareStart() {
  const startedMs = performance.now();
  return new Promise((resolve) => {
    spawn(process.execPath, ["-e", "0"]).once("exit", () => resolve(performance.now() - startedMs));
  });
}

async function gatewayStart(directory) {
  const port = await freePort();
  const startedMs = performance.now();
  const child = spawn(process.execPath, [cli, "serve", "--port", String(port), "--data-dir", directory], {
    stdio: "ignore",
  });
  while (!(await answers(port))) await sleep(2);
  const tookMs = performance.now() - startedMs;
  child.kill("SIGTERM");
  await new Promise((resolve) => child.once("exit", resolve));
  return tookMs;
}

/** Processor time of a process with all its threads, in seconds. */
function cpuSeconds(pid) {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1].split(" ");
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

const directory = mkdtempSync(join(tmpdir(), "modelgate-process-"));
let isMet = true;
try {
  const ratios = [];
  for (let pair = 0; pair < pairs; pair += 1) {
    const bareMs = await bareStart();
    const ownMs = await gatewayStart(join(directory, String(pair)));
    ratios.push(ownMs / bareMs);
    console.log(
      `  pair ${pair + 1}: node -e 0 ${bareMs.toFixed(0)} ms, first 200 ${ownMs.toFixed(0)} ms, ratio ${ratios[pair].toFixed(1)}`,
    );
  }
  const ratio = median(ratios);
  isMet = ratio <= 10;
  console.log(
    `start-up to the first 200: median ratio ${ratio.toFixed(1)} (bar 10) ${isMet ? "met" : "NOT MET"}`,
  );

  const model = await startNode(here("../http/target.mjs"), [], /listening on (\d+)/);
  const args = ["serve", "--port", "0", "--data-dir", join(directory, "idle")];
  const server = ["--server", `instant=http://127.0.0.1:${model.match[1]}`];
  const gateway = await startNode(cli, [...args, ...server], /listening on (http:\/\/[\d.]+:\d+)/);
  await sleep(5000);
  const { pid } = gateway.child;
  const beforeSeconds = cpuSeconds(pid);
  await sleep(idleSeconds * 1000);
  const share = (cpuSeconds(pid) - beforeSeconds) / idleSeconds;
  const mib = residentMib(pid);
  const isIdle = share <= 0.01 && mib <= 120;
  console.log(
    `idle for ${idleSeconds} s with one server: ${(share * 100).toFixed(2)} % of a core (bar 1), ${mib.toFixed(0)} MiB (bar 120) ${isIdle ? "met" : "NOT MET"}`,
  );
  isMet &&= isIdle;
  await Promise.all([gateway.stop(), model.stop()]);
} finally {
  rmSync(directory, { recursive: true, force: true });
}
process.exitCode = isMet ? 0 : MISSED;
