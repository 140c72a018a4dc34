// The shortest way from a clone to a gateway that answers: builds what is missing, starts one real model server
// (examples/nlp-server) and one gateway in front of it, waits until the gateway says that the model runs, and prints a
// call to paste. It owns both processes: when either dies, or this script is told to stop, nothing stays behind.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import { dirname, join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const host = "127.0.0.1";
const model = "nlp";
const readyWithinMs = 60_000;
const stopWithinMs = 15_000;

const usage = `Usage: npm start -- [options]

Builds Modelgate, starts an example model server and a gateway in front of it, and prints a call to try.

  --port N        port of the gateway (default 8888; a free one when it is taken)
  --data-dir DIR  where the gateway keeps its data (default .modelgate)
  --help          this text`;

/** What this script started and has not yet seen end. */
const running = new Set();
let stopping = false;

/** The gateway goes first, since what it still runs needs the model server. Who stays too long is killed at exit. */
async function stop(code) {
  if (stopping) return;
  stopping = true;
  const timeUp = sleep(stopWithinMs);
  for (const { name, child, exited } of [...running].reverse()) {
    child.kill("SIGTERM");
    await Promise.race([exited, timeUp]);
    if ((child.exitCode ?? child.signalCode) === null)
      console.error(`${name} did not stop in time and is killed.`);
  }
  process.exit(code);
}

function killGroup({ child }) {
  try {
    process.kill(-child.pid, "SIGKILL");
  } catch {} // Already gone.
}

function fail(message) {
  if (stopping) return;
  console.error(`\n${message}`);
  void stop(1);
}

/** Starts `node args`, shows its standard error line by line, and treats its end as ours unless `mayEnd`. */
function start(name, args, { mayEnd = false, quiet = false } = {}) {
  const child = spawn(process.execPath, args, {
    cwd: root,
    env: { ...process.env, TURBO_TELEMETRY_DISABLED: "1" },
    stdio: ["ignore", "pipe", "pipe"],
    // In a group of its own: Ctrl-C reaches only this script, which then stops its children in order.
    detached: true,
  });
  const tail = [];
  const keep = (line) => tail.push(line) > 200 && tail.shift();
  const lines = createInterface({ input: child.stdout });
  lines.on("line", keep);
  createInterface({ input: child.stderr }).on("line", (line) => {
    keep(line);
    if (!quiet) console.error(`[${name}] ${line}`);
  });

  const entry = { name, child, lines, tail, exited: undefined };
  entry.exited = new Promise((settle) => {
    // "close" comes after the last line was read; a child that could not be started has only "error".
    child.once("error", (error) => settle(error.message));
    child.once("close", (code, signal) => settle(signal ?? code));
  }).then((how) => {
    running.delete(entry);
    if (!mayEnd && !stopping) {
      fail(`${name} ended (${how}), so everything stops. Its last lines:\n${tail.slice(-20).join("\n")}`);
    }
    return how;
  });
  running.add(entry);
  return entry;
}

async function build() {
  console.log("Building (a first build takes some seconds) …");
  const began = performance.now();
  const turbo = join(root, "node_modules/turbo/bin/turbo");
  const made = start("build", [turbo, "run", "build", "--output-logs=errors-only"], {
    mayEnd: true,
    quiet: true,
  });
  const how = await made.exited;
  if (how !== 0) return fail(`The build failed (${how}):\n${made.tail.join("\n")}`);
  console.log(`Built in ${((performance.now() - began) / 1000).toFixed(1)} s.`);
}

/** Resolves to a port that can be bound now: `wanted`, or a free one when that is taken. */
async function choosePort(wanted) {
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
    const port = await choosePort(0);
    console.log(`Port ${wanted} is taken; the gateway uses ${port}.`);
    return port;
  }
}

async function startModelServer() {
  const server = start("nlp-server", [join(root, "examples/nlp-server/dist/main.js"), "--port", "0"]);
  return new Promise((found) => {
    const late = () => fail(`nlp-server did not say where it listens within ${readyWithinMs / 1000} s.`);
    const timer = setTimeout(late, readyWithinMs);
    void server.exited.then(() => clearTimeout(timer));
    server.lines.on("line", (line) => {
      if (!line.startsWith('{"event":"listening"')) return;
      clearTimeout(timer);
      found(JSON.parse(line).url);
    });
  });
}

async function runningModels(url) {
  const answer = await fetch(`${url}/models/`, { signal: AbortSignal.timeout(2_000) });
  if (!answer.ok) throw new Error(`GET /models/ answered ${answer.status}`);
  return (await answer.json()).running.map(({ name }) => name);
}

async function waitForModel(url) {
  const until = performance.now() + readyWithinMs;
  let last = "nothing was asked yet";
  while (performance.now() < until && !stopping) {
    try {
      const names = await runningModels(url);
      if (names.includes(model)) return;
      last = `running: ${names.join(", ") || "none"}`;
    } catch (error) {
      last = error.cause?.message ?? error.message;
    }
    await sleep(100);
  }
  fail(`The gateway did not list "${model}" as running within ${readyWithinMs / 1000} s (${last}).`);
}

async function main() {
  const { values } = parseArgs({
    options: {
      port: { type: "string", default: "8888" },
      "data-dir": { type: "string", default: ".modelgate" },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) return console.log(usage);
  const wanted = /^\d{1,5}$/.test(values.port) ? Number(values.port) : Number.NaN;
  if (!(wanted <= 65_535)) throw new Error(`--port is "${values.port}"; give a number from 0 to 65535.`);
  // A relative directory belongs to where the command was typed, which npm changes and tells.
  const dataDir = resolve(process.env.INIT_CWD ?? process.cwd(), values["data-dir"]);

  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) {
    process.on(signal, () => (stopping ? process.exit(1) : void stop(0)));
  }
  process.on("exit", () => running.forEach(killGroup));
  // npm passes a signal on to its shell only; that our parent changed is how we learn that npm is gone.
  const parent = process.ppid;
  if (process.env.npm_lifecycle_event)
    setInterval(() => process.ppid !== parent && void stop(0), 250).unref();

  await build();
  if (stopping) return;
  const [port, serverUrl] = await Promise.all([choosePort(wanted), startModelServer()]);
  if (stopping) return;
  const cli = join(root, "packages/http-server/dist/cli.js");
  const address = ["--host", host, "--port", String(port)];
  start("gateway", [cli, "serve", ...address, "--data-dir", dataDir, "--server", `${model}=${serverUrl}`]);
  const url = `http://${host}:${port}`;
  await waitForModel(url);
  if (stopping) return;

  console.log(`\nThe gateway listens at ${url} and serves the model "${model}". Try it:\n`);
  const call = `curl -s -X POST '${url}/models/${model}/tasks/process'`;
  console.log(`${call} -H 'Content-Type: text/plain' -H 'Prefer: wait=30' \\
  --data 'Dr. Maria Keller saw Mr. John Smith on 12 March 2024 at 9:30 am in Berlin.'\n`);
  console.log("Ctrl-C stops both.");
}

main().catch((error) => fail(error.message));
