// Whether anything that a client can send brings the gateway down, or leaves something behind, no list of cases can
// tell. This sends seeded random ones to a real `modelgate serve` in front of a real model server: valid requests of
// every route that are then spoilt in method, path, query, headers, body and framing, sent in pieces, several at once,
// hung up on. It exits with 1 and prints how to see the first failure again when an answer was none that is declared,
// an error named no reason, a connection got neither an answer nor a close within 10 s, the gateway was not well
// afterwards, or had other tasks than it had said.
//
//   npm run fuzz -- [--requests 2000] [--seed N] [--only NUMBER]

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { build, loadRun, server, wholeNumber } from "./lib/typescript-run.mjs";

const adminKey = "the-key-of-the-fuzz-run";

const { values } = parseArgs({
  options: {
    requests: { type: "string", default: "2000" },
    seed: { type: "string", default: String(1 + Math.floor(Math.random() * 1e9)) },
    only: { type: "string" },
  },
});

async function startGateway(dataDir, modelUrl) {
  const flags = ["--port", "0", "--data-dir", dataDir, "--server", `nlp=${modelUrl}`, "--log-level", "warn"];
  const child = spawn(process.execPath, [join(server, "dist/cli.js"), "serve", ...flags], {
    stdio: ["ignore", "pipe", "inherit"],
    env: { ...process.env, MODELGATE_ADMIN_KEY: adminKey },
  });
  process.on("exit", () => child.kill("SIGKILL"));
  let said = "";
  for await (const chunk of child.stdout.iterator({ destroyOnReturn: false })) {
    said += chunk;
    const url = /listening on (\S+)/.exec(said)?.[1];
    if (url !== undefined) {
      child.stdout.resume();
      return { child, url };
    }
  }
  throw new Error("the gateway did not start");
}

/** Until a task of the model is taken: what discovery finds takes a moment. */
async function waitForModel(url) {
  for (let tries = 0; tries < 100; tries += 1) {
    const { running } = await (await fetch(`${url}/models/`)).json();
    if (running.length > 0) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error("the model server was not found");
}

const requests = wholeNumber("requests", values.requests, 1);
const seed = wholeNumber("seed", values.seed, 0);
const only = values.only === undefined ? undefined : wholeNumber("only", values.only, 0);

build();
const { fuzz, startModelServer } = await loadRun("fuzz-run", [
  "./fuzz/fuzz-run.ts",
  "./support/model-server.ts",
]);
const dataDir = mkdtempSync(join(tmpdir(), "modelgate-fuzz-"));
const model = await startModelServer();
const { child, url } = await startGateway(dataDir, model.url);
await waitForModel(url);

console.log(`seed ${seed}, ${only === undefined ? `${requests} cases` : `case ${only}`} against ${url}`);
const begun = performance.now();
const report = await fuzz({ url, adminKey, seed, requests: Math.max(requests, (only ?? 0) + 1), only });
const seconds = ((performance.now() - begun) / 1000).toFixed(1);
const failures = [...report.failures];

const ended = once(child, "exit");
if (child.exitCode === null) child.kill("SIGTERM");
const [code] = child.exitCode === null ? await ended : [child.exitCode];
if (code !== 0) failures.push(`the gateway ended with ${code}`);
await model.close();
rmSync(dataDir, { recursive: true, force: true });

const statuses = [...report.statuses].map(([status, count]) => `${status}: ${count}`).join(", ");
console.log(`
cases                      ${report.cases}
answers by status          ${statuses}
connections without any    ${report.unanswered} (hung up on, or told that nothing more comes)
tasks that answers named   ${report.accepted}
tasks that are there       ${report.rows}
failures                   ${failures.length}
took                       ${seconds} s`);
for (const failure of failures.slice(0, 10)) console.log(`  ${failure}`);
const [, first] = /case (\d+) of seed/.exec(failures[0] ?? "") ?? [];
if (first !== undefined) console.log(`\nAgain: npm run fuzz -- --seed ${seed} --only ${first}`);
process.exit(failures.length === 0 ? 0 : 1);
