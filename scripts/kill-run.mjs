// Whether an accepted task survives anything is shown from outside: a real `modelgate serve` on SQLite in front of a
// real model server is killed again and again under load, and what its clients saw is held against what was promised.
// Prints its figures; the exit code is 1 when any promise was broken.
//
//   npm run chaos:kill -- [--kills 25] [--clients 6] [--seed N]

import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { root } from "./lib/processes.mjs";
import { build, loadRun, server, wholeNumber } from "./lib/typescript-run.mjs";

const { values } = parseArgs({
  options: {
    kills: { type: "string", default: "25" },
    clients: { type: "string", default: "6" },
    seed: { type: "string" },
  },
});

async function startModelServer() {
  const main = join(root, "examples/nlp-server/dist/main.js");
  const child = spawn(process.execPath, [main, "--port", "0", "--engine", "echo", "--faults"], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  process.on("exit", () => child.kill("SIGKILL"));
  const [line] = await once(child.stdout, "data");
  return JSON.parse(line.toString()).url;
}

const kills = wholeNumber("kills", values.kills, 1);
const clients = wholeNumber("clients", values.clients, 1);
const seed = values.seed === undefined ? undefined : wholeNumber("seed", values.seed, 0);

build();
const { killRun } = await loadRun("kill-run", ["./kill/kill-run.ts"]);
const begun = performance.now();
const report = await killRun({
  command: join(server, "dist/cli.js"),
  modelUrl: await startModelServer(),
  kills,
  clients,
  seed,
  log: (line) => console.log(line),
});

const share = ((100 * report.acceptedUp) / report.submittedUp).toFixed(1);
console.log(`
kills                                 ${report.kills}, ${report.killsInRecovery} of them during recovery
accepted of what was sent while up    ${report.acceptedUp} of ${report.submittedUp} (${share} %, at least 90 %)
tasks acknowledged                    ${report.acknowledged}
ended well with a result              ${report.succeeded}
reads of state and result             ${report.reads}
texts sent again                      ${report.sentAgain} (at most ${report.sentAgainAllowed}: ${report.slots} slots in use x kills)
violations                            ${report.violations.length}
took                                  ${((performance.now() - begun) / 1000).toFixed(0)} s`);
for (const violation of report.violations.slice(0, 20)) console.log(`  ${violation}`);
process.exit(report.violations.length === 0 ? 0 : 1);
