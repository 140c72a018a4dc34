// A document is worth something when the server does what it says. This has schemathesis read the document of a running
// gateway, make requests of it, good and bad ones, and hold every answer against it: the status is declared, the media
// type and the body are those of that status, and nothing is a 500 or another error of the server's side that the
// operation does not declare. First a real `modelgate serve` in front of the example model server; then the same routes
// over deployments without an engine, so that deploying and configuring are asked for, too. It exits with 1 on a finding,
// and says how to send it again.
//
//   npm run contract -- [--minutes 1] [--seed N] [--only serve|deployments] [--no-build]

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { fuzzerSettings } from "./contract/fuzzer-settings.mjs";
import { requirements } from "./contract/requirements.mjs";
import { onStopRequest, Processes, root } from "./lib/processes.mjs";
import { build, choosePort, host, startGateway, startModelServer, waitForModel } from "./lib/stack.mjs";
import { loadRun, wholeNumber } from "./lib/typescript-run.mjs";
import { keepVenv } from "./services/python-venv.mjs";

const adminKey = "the-key-of-the-admins";
const stopWithinMs = 10_000;
const checks = [
  "not_a_server_error",
  "status_code_conformance",
  "content_type_conformance",
  "response_schema_conformance",
  "gateway_answers_are_whole",
];

const { values } = parseArgs({
  options: {
    minutes: { type: "string", default: "1" },
    seed: { type: "string", default: String(1 + Math.floor(Math.random() * 1e9)) },
    only: { type: "string" },
    "no-build": { type: "boolean", default: false },
  },
});
const minutes = wholeNumber("minutes", values.minutes, 1);
const seed = wholeNumber("seed", values.seed, 0);
const kinds = ["serve", "deployments"].filter((kind) => values.only === undefined || values.only === kind);
if (kinds.length === 0) throw new Error(`--only is "${values.only}"; give serve or deployments.`);

const folder = mkdtempSync(join(tmpdir(), "modelgate-contract-"));
process.on("exit", () => rmSync(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 20 }));
const processes = new Processes((message) => {
  console.error(message);
  process.exit(1);
});
onStopRequest(() => void processes.stop(stopWithinMs).then(() => process.exit(130)));

/** A gateway as it is run, in front of a real model server. */
async function openServe() {
  if (!values["no-build"]) await build(processes);
  const [port, serverUrl] = await Promise.all([choosePort(0), startModelServer(processes)]);
  // Of tasks that are waited for, most are trainings, which take their time.
  const env = { MODELGATE_ADMIN_KEY: adminKey, MODELGATE_MAX_WAIT_MS: "2000" };
  startGateway(processes, { port, dataDir: join(folder, "data"), serverUrl }, { env, quiet: true });
  const url = `http://${host}:${port}`;
  await waitForModel(processes, url);
  return { url, close: async () => {} };
}

/** The same routes in this process, where deployments come to be without an engine. */
async function openDeployments() {
  const options = { conditions: ["@modelgate/source"], external: ["undici", "prom-client"] };
  const { openGateway } = await loadRun("contract-gateway", ["./openapi/gateway.ts"], options);
  return await openGateway();
}

/** Ids of tasks that have ended. */
async function makeTasks(url) {
  const headers = { "content-type": "text/plain", prefer: "wait=2" };
  const ids = [];
  for (const body of ["a", "Dr. Keller saw Mr. Smith.", "another note"]) {
    const answer = await fetch(`${url}/models/nlp/tasks/process`, { method: "POST", headers, body });
    await answer.arrayBuffer();
    ids.push(answer.headers.get("x-task-uuid"));
  }
  return ids.filter((id) => id !== null);
}

async function fuzz(python, kind, url) {
  const document = await (await fetch(`${url}/openapi.json`)).json();
  const known = { model: ["nlp", "medcat"], id: await makeTasks(url), path: ["info", "process", "healthz"] };
  const config = join(folder, `${kind}.toml`);
  writeFileSync(config, fuzzerSettings(document, known));
  const args = ["-m", "schemathesis.cli", "--config-file", config, "run", `${url}/openapi.json`];
  args.push("--header", `X-Modelgate-Key: ${adminKey}`, "--checks", checks.join(","));
  args.push("--continue-on-failure", "--phases", "examples,coverage,fuzzing", "--seed", String(seed));
  args.push("--max-time", String((minutes * 60) / kinds.length), "--request-timeout", "30");
  args.push("--suppress-health-check", "all", "--warnings", "off");
  const env = { ...process.env, SCHEMATHESIS_HOOKS: "hooks", PYTHONPATH: join(root, "scripts/contract") };
  env.PYTHONDONTWRITEBYTECODE = "1";
  const child = spawn(python, args, { cwd: folder, env, stdio: "inherit" });
  const [code] = await once(child, "exit");
  const health = await fetch(`${url}/health`);
  if (!health.ok) console.error(`/health is ${health.status}: ${await health.text()}`);
  return code === 0 && health.ok;
}

const python = await keepVenv({ name: "schemathesis", requirements, say: console.log });
let isGood = true;
for (const kind of kinds) {
  const gateway = await (kind === "serve" ? openServe() : openDeployments());
  console.log(`\n${kind}: seed ${seed}, ${gateway.url}\n`);
  isGood = (await fuzz(python, kind, gateway.url)) && isGood;
  for (const error of gateway.errors ?? []) {
    console.error("the gateway told of an error:", error);
    isGood = false;
  }
  await gateway.close();
}
await processes.stop(stopWithinMs);
if (!isGood) console.error(`\nAgain: npm run contract -- --seed ${seed}`);
process.exit(isGood ? 0 : 1);
