// The first minute with Modelgate: some hundred notes at mixed priorities go through a real gateway to a real model,
// the gateway is killed with `kill -9` in the middle and started again on the same directory, and in the end every
// result is held against what the model itself answers. Ends by itself; the exit code is 1 when anything did not hold.

import { randomBytes } from "node:crypto";
import { setMaxListeners } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { judge } from "./demo/judge.mjs";
import { Load } from "./demo/load.mjs";
import { makeNotes, randomFrom } from "./demo/notes.mjs";
import { printSamples, printSummary } from "./demo/report.mjs";
import { Screen } from "./demo/screen.mjs";
import { bold, dim } from "./demo/style.mjs";
import { onStopRequest, Processes } from "./lib/processes.mjs";
import { build, choosePort, host, startGateway, startModelServer, waitForModel } from "./lib/stack.mjs";

const usage = `Usage: npm run demo -- [options]

Sends notes through a gateway, kills it in the middle, and checks that nothing was lost, doubled or changed.

  --notes N    how many notes (default 300)
  --kills N    how often the gateway is killed with kill -9 (default 1)
  --clients N  how many clients submit at a time (default 8)
  --seed N     makes the same notes and priorities again (default: a new one each time)
  --keep       leave the gateway's data directory where it is
  --no-build   use what is built
  --help       this text`;

/** The model takes this much longer for each note: so small a model is done before anybody could watch. */
const modelDelayMs = 200;
/** Requests that the gateway has at the server at a time to begin with, for a guess at how long it takes. */
const slots = 8;
const downMs = 700;
const stopWithinMs = 3_000;
/** Opens the gateway's list of tasks. */
const adminKey = randomBytes(16).toString("hex");

const processes = new Processes(fail);
const ending = new AbortController();
// Everything that waits, waits for it too.
setMaxListeners(0, ending.signal);
let dataDir;
let screen;

async function stop(code) {
  if (processes.isStopping) return;
  screen?.stop();
  const stopped = processes.stop(stopWithinMs);
  ending.abort();
  await stopped;
  process.exit(code);
}

function fail(message) {
  if (processes.isStopping) return;
  screen?.stop();
  console.error(`\n${message}`);
  void stop(1);
}

function readOptions() {
  const { values } = parseArgs({
    options: {
      notes: { type: "string", default: "300" },
      kills: { type: "string", default: "1" },
      clients: { type: "string", default: "8" },
      seed: { type: "string" },
      keep: { type: "boolean", default: false },
      "no-build": { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  const number = (flag, least, most) => {
    const text = values[flag];
    const value = /^\d{1,10}$/.test(text) ? Number(text) : Number.NaN;
    if (value >= least && value <= most) return value;
    throw new Error(`--${flag} is "${text}"; give a whole number from ${least} to ${most}.`);
  };
  return {
    ...values,
    notes: number("notes", 1, 10_000),
    kills: number("kills", 0, 20),
    clients: number("clients", 1, 64),
    seed:
      values.seed === undefined ? Math.floor(Math.random() * 1_000_000) : number("seed", 0, 4_294_967_295),
  };
}

/** Starts a gateway, kills it when `load` has come far enough, and starts it again: `kills` times. */
class Gateway {
  status = { isUp: false, note: "starting" };
  #address;
  #entry;

  constructor(address) {
    this.#address = address;
  }

  async start(note) {
    this.#entry = startGateway(processes, this.#address, {
      quiet: true,
      env: { MODELGATE_ADMIN_KEY: adminKey },
    });
    await waitForModel(processes, this.url);
    this.status = { isUp: true, note: `${note} (process ${this.#entry.child.pid})` };
  }

  get url() {
    return `http://${host}:${this.#address.port}`;
  }

  async killAmid(load, { kills, clients }) {
    for (let kill = 1; kill <= kills; kill += 1) {
      const dueAt = Math.ceil((load.letters.length * kill) / (kills + 1));
      while (load.ended < dueAt) await sleep(10, undefined, { signal: ending.signal });
      this.#entry.mayEnd = true;
      this.#entry.child.kill("SIGKILL");
      await this.#entry.exited;
      this.status = { isUp: false, note: "killed with kill -9" };
      await sleep(downMs, undefined, { signal: ending.signal });
      await this.start(kill === 1 ? "up again" : `up again, ${kill} kills`);
      await load.repeatLast(clients);
    }
  }
}

async function main() {
  const options = readOptions();
  if (options.help) return console.log(usage);
  onStopRequest(() => void stop(130));
  process.on("exit", () => {
    // A gateway that was killed a moment ago may still write.
    if (dataDir && !options.keep)
      rmSync(dataDir, { recursive: true, force: true, maxRetries: 10, retryDelay: 20 });
  });

  if (!options["no-build"]) {
    console.log(dim(" Building what is missing …"));
    await build(processes);
  }
  if (processes.isStopping) return;
  dataDir = mkdtempSync(join(tmpdir(), "modelgate-demo-"));
  const [port, serverUrl] = await Promise.all([choosePort(0), startModelServer(processes, ["--faults"])]);
  if (processes.isStopping) return;
  const slow = JSON.stringify({ kind: "delay", ms: modelDelayMs, next: null });
  await fetch(`${serverUrl}/_faults`, { method: "POST", body: slow });
  const gateway = new Gateway({ port, dataDir, serverUrl });
  await gateway.start("up");
  if (processes.isStopping) return;

  const { notes: count, clients, kills, seed } = options;
  const notes = makeNotes(count, randomFrom(seed));
  const runName = `demo-${seed}`;
  const load = new Load({ url: gateway.url, notes, runName, signal: ending.signal });
  console.log(
    `\n ${bold("Modelgate")}  ${count} notes at priorities 0 to 10 from ${clients} clients ${dim(`(--seed ${seed})`)}`,
  );
  console.log(dim(` The model takes ${modelDelayMs} ms for a note; the gateway's data is in ${dataDir}\n`));
  const begunAt = performance.now();
  const leastMs = (count * modelDelayMs) / slots;
  const limitMs = 60_000 + 3 * leastMs + 15_000 * kills;
  setTimeout(() => fail(`The demo did not end within ${Math.round(limitMs / 1_000)} s.`), limitMs).unref();

  screen = new Screen(load, () => gateway.status);
  screen.start();
  // A part of the notes comes at once, so that there is a queue; the others until two thirds of the time are over.
  const burst = Math.ceil(count * 0.4);
  const everyMs = (leastMs * 0.65) / Math.max(1, count - burst);
  await Promise.all([
    load.submitAll({ clients, burst, everyMs }),
    load.follow(),
    gateway.killAmid(load, { kills, clients }),
  ]);
  screen.stop();
  const seconds = (performance.now() - begunAt) / 1_000;

  const stats = await (await fetch(`${serverUrl}/_stats`)).json();
  await fetch(`${serverUrl}/_faults`, { method: "DELETE" });
  const unread = [...load.letters];
  const reader = async () => {
    for (let letter = unread.pop(); letter; letter = unread.pop()) {
      letter.result = await load.result(letter);
      letter.direct = await askModel(serverUrl, letter.text);
    }
  };
  await Promise.all(Array.from({ length: clients }, reader));
  const tasks = await load.listTasks(adminKey);
  const verdict = judge({ letters: load.letters, tasks, stats, kills });
  printSamples(load.letters, 3);
  printSummary({ letters: load.letters, verdict, kills, seconds, seed });
  if (options.keep) console.log(` The gateway's data is in ${dataDir}\n`);
  await stop(verdict.mismatches.length === 0 ? 0 : 1);
}

/** What the model says of a text when no gateway is in between. */
async function askModel(serverUrl, text) {
  const request = { method: "POST", headers: { "content-type": "text/plain" }, body: text };
  return (await fetch(`${serverUrl}/process`, request)).text();
}

main().catch((error) => fail(error.message));
