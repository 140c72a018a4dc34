// The shortest way from a clone to a gateway that answers: builds what is missing, starts one real model server
// (examples/nlp-server) and one gateway in front of it, waits until the gateway says that the model runs, and prints a
// call to paste. It owns both processes: when either dies, or this script is told to stop, nothing stays behind.

import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { onStopRequest, Processes } from "./lib/processes.mjs";
import {
  build,
  choosePort,
  host,
  model,
  startGateway,
  startModelServer,
  waitForModel,
} from "./lib/stack.mjs";

const stopWithinMs = 15_000;

const usage = `Usage: npm start -- [options]

Builds Modelgate, starts an example model server and a gateway in front of it, and prints a call to try.

  --port N        port of the gateway (default 8888; a free one when it is taken)
  --data-dir DIR  where the gateway keeps its data (default .modelgate)
  --help          this text`;

const processes = new Processes(fail);

async function stop(code) {
  if (processes.isStopping) return;
  await processes.stop(stopWithinMs);
  process.exit(code);
}

function fail(message) {
  if (processes.isStopping) return;
  console.error(`\n${message}`);
  void stop(1);
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
  onStopRequest(() => void stop(0));

  console.log("Building (a first build takes some seconds) …");
  const began = performance.now();
  await build(processes);
  if (processes.isStopping) return;
  console.log(`Built in ${((performance.now() - began) / 1000).toFixed(1)} s.`);

  const [port, serverUrl] = await Promise.all([choosePort(wanted), startModelServer(processes)]);
  if (processes.isStopping) return;
  if (wanted !== 0 && port !== wanted) console.log(`Port ${wanted} is taken; the gateway uses ${port}.`);
  startGateway(processes, { port, dataDir, serverUrl });
  const url = `http://${host}:${port}`;
  await waitForModel(processes, url);
  if (processes.isStopping) return;

  console.log(`\nThe gateway listens at ${url} and serves the model "${model}". Try it:\n`);
  const call = `curl -s -X POST '${url}/models/${model}/tasks/process'`;
  console.log(`${call} -H 'Content-Type: text/plain' -H 'Prefer: wait=30' \\
  --data 'Dr. Maria Keller saw Mr. John Smith on 12 March 2024 at 9:30 am in Berlin.'\n`);
  console.log("Ctrl-C stops both.");
}

main().catch((error) => fail(error.message));
