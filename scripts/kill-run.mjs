// Whether an accepted task survives anything is shown from outside: a real `modelgate serve` on SQLite in front of a
// real model server is killed again and again under load, and what its clients saw is held against what was promised.
// Prints its figures; the exit code is 1 when any promise was broken.
//
//   npm run chaos:kill -- [--kills 25] [--clients 6] [--seed N]

import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdirSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { parseArgs } from "node:util";

const root = fileURLToPath(new URL("../", import.meta.url));
const server = join(root, "packages/http-server");

const { values } = parseArgs({
  options: {
    kills: { type: "string", default: "25" },
    clients: { type: "string", default: "6" },
    seed: { type: "string" },
  },
});

function wholeNumber(flag, text) {
  if (!/^[1-9]\d{0,9}$/.test(text)) throw new Error(`--${flag} is "${text}"; give a whole number from 1.`);
  return Number(text);
}

function build() {
  const { status } = spawnSync(
    process.execPath,
    [join(root, "node_modules/turbo/bin/turbo"), "run", "build", "--output-logs=errors-only"],
    { cwd: root, stdio: "inherit", env: { ...process.env, TURBO_TELEMETRY_DISABLED: "1" } },
  );
  if (status !== 0) throw new Error("the build failed");
}

/** The run itself is TypeScript, which Node 20 cannot load. */
async function loadKillRun() {
  const { build: bundle } = createRequire(join(root, "packages/adapters-storage/package.json"))("esbuild");
  const folder = join(server, "node_modules/.cache");
  mkdirSync(folder, { recursive: true });
  const outfile = join(folder, "kill-run.mjs");
  const entry = join(server, "test/kill/kill-run.ts");
  await bundle({
    entryPoints: [entry],
    outfile,
    bundle: true,
    format: "esm",
    platform: "node",
    logLevel: "warning",
  });
  return (await import(pathToFileURL(outfile).href)).killRun;
}

async function startModelServer() {
  const main = join(root, "examples/nlp-server/dist/main.js");
  const child = spawn(process.execPath, [main, "--port", "0", "--engine", "echo", "--faults"], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  process.on("exit", () => child.kill("SIGKILL"));
  const [line] = await once(child.stdout, "data");
  return JSON.parse(line.toString()).url;
}

const kills = wholeNumber("kills", values.kills);
const clients = wholeNumber("clients", values.clients);
const seed = values.seed === undefined ? undefined : wholeNumber("seed", values.seed);

build();
const killRun = await loadKillRun();
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
