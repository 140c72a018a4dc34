// The smallest whole: one real model server (examples/nlp-server) and one gateway in front of it, from this repository.

import { once } from "node:events";
import { createServer } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { root } from "./processes.mjs";

export const host = "127.0.0.1";
export const model = "nlp";
const readyWithinMs = 60_000;

/** Builds what is missing or has changed. */
export async function build(processes) {
  const turbo = join(root, "node_modules/turbo/bin/turbo");
  const args = [turbo, "run", "build", "--output-logs=errors-only"];
  const made = processes.start("build", args, { mayEnd: true, quiet: true });
  const how = await made.exited;
  if (how !== 0 && !processes.isStopping)
    throw new Error(`The build failed (${how}):\n${made.tail.join("\n")}`);
}

/** Resolves to a port that can be bound now: `wanted`, or a free one when that is taken. */
export async function choosePort(wanted) {
  const server = createServer();
  try {
    server.listen(wanted, host);
    await once(server, "listening");
    const { port } = server.address();
    server.close();
    await once(server, "close");
    return port;
  } catch (error) {
    if (error.code !== "EADDRINUSE" || wanted === 0) throw error;
    return choosePort(0);
  }
}

/** Resolves to the address of a model server that is ready. */
export async function startModelServer(processes, args = []) {
  const main = join(root, "examples/nlp-server/dist/main.js");
  const server = processes.start("nlp-server", [main, "--port", "0", ...args]);
  const late = `nlp-server did not say where it listens within ${readyWithinMs / 1000} s.`;
  return new Promise((found, failed) => {
    const timer = setTimeout(() => failed(new Error(late)), readyWithinMs);
    void server.exited.then(() => clearTimeout(timer));
    server.lines.on("line", (line) => {
      if (!line.startsWith('{"event":"listening"')) return;
      clearTimeout(timer);
      found(JSON.parse(line).url);
    });
  });
}

export function startGateway(processes, { port, dataDir, serverUrl }, options) {
  const cli = join(root, "packages/http-server/dist/cli.js");
  const address = ["--host", host, "--port", String(port)];
  const args = ["serve", ...address, "--data-dir", dataDir, "--server", `${model}=${serverUrl}`];
  return processes.start("gateway", [cli, ...args], options);
}

/** Resolves once the gateway says that the model runs. */
export async function waitForModel(processes, url) {
  const until = performance.now() + readyWithinMs;
  let last = "nothing was asked yet";
  while (performance.now() < until) {
    if (processes.isStopping) return;
    try {
      const names = await runningModels(url);
      if (names.includes(model)) return;
      last = `running: ${names.join(", ") || "none"}`;
    } catch (error) {
      last = error.cause?.message ?? error.message;
    }
    await sleep(50);
  }
  throw new Error(
    `The gateway did not list "${model}" as running within ${readyWithinMs / 1000} s (${last}).`,
  );
}

async function runningModels(url) {
  const answer = await fetch(`${url}/models/`, { signal: AbortSignal.timeout(2_000) });
  if (!answer.ok) throw new Error(`GET /models/ answered ${answer.status}`);
  return (await answer.json()).running.map(({ name }) => name);
}
