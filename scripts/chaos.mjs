// Everything that can go wrong goes wrong at once: real processes of the built command are killed and paused, services
// are taken away, connections are cut and model servers die while they answer. What was seen from outside is then held
// against what was promised. Prints its figures; the exit code is 1 when any promise was broken, and then the logs and
// the history of the run are kept.
//
//   npm run chaos -- [--minutes 1] [--tasks 500] [--seed N] [--pairing postgres+s3] [--plant] [--keep] [--folder DIR]
//                    [--drain-seconds 240] [--rabbitmq-version 3] [--skip-build]
//
// With --plant a task is taken out of the store and another's ending is changed: that run must fail.

import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { startBroker } from "./chaos/brokers.mjs";
import { figuresOf } from "./chaos/figures.mjs";
import { build, bundleRun, loadRun, server, wholeNumber } from "./lib/typescript-run.mjs";
import { startCeph, startPostgres } from "./services/index.mjs";

const PAIRINGS = [
  "sqlite+files",
  "postgres+files",
  "postgres+s3",
  "postgres+redis+s3",
  "postgres+rabbitmq+s3",
];

// So that its log tells who waited for whom.
const postgresSettings = {
  log_lock_waits: "on",
  deadlock_timeout: "500ms",
  log_min_duration_statement: "1000",
};

const { values } = parseArgs({
  options: {
    minutes: { type: "string", default: "1" },
    tasks: { type: "string" },
    seed: { type: "string" },
    pairing: { type: "string", default: "sqlite+files" },
    "drain-seconds": { type: "string", default: "240" },
    plant: { type: "boolean", default: false },
    folder: { type: "string", default: tmpdir() },
    keep: { type: "boolean", default: false },
    "rabbitmq-version": { type: "string", default: "3" },
    "skip-build": { type: "boolean", default: false },
  },
});

const { pairing } = values;
if (!PAIRINGS.includes(pairing)) {
  throw new Error(`--pairing is "${pairing}"; give one of ${PAIRINGS.join(", ")}.`);
}
const minutes = wholeNumber("minutes", values.minutes, 1);
const tasks = wholeNumber("tasks", values.tasks ?? String(Math.min(10_000, 1_250 * minutes)), 1);
const seed = values.seed === undefined ? Date.now() % 1_000_000 : wholeNumber("seed", values.seed, 0);

if (!values["skip-build"]) build();
// Packages stay outside: some of them are no ES modules, and some bring binaries.
const { runPairing } = await loadRun("chaos", ["./chaos/run-pairing.ts"], { packages: "external" });
mkdirSync(values.folder, { recursive: true });
const folder = mkdtempSync(join(values.folder, `modelgate-chaos-${seed}-`));
const modelProgram = join(folder, "model.mjs");
await bundleRun("chaos-model", [], {
  // A module that is imported for nothing but what it does would be left out.
  ...{ stdin: undefined, entryPoints: [join(server, "test/chaos/model-main.ts")], outfile: modelProgram },
});
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => process.exit(1));
const services = [];
const lines = [];
const log = (line) => {
  lines.push(line);
  console.log(line);
};
let isWell = false;
try {
  const { postgres, s3, broker } = await startServices();
  const begun = performance.now();
  log(`${pairing}, seed ${seed}, ${tasks} tasks, ${minutes} min of faults; logs in ${folder}`);
  const report = await runPairing({
    ...{ pairing, seed, tasks, chaosMs: minutes * 60_000, folder, log, modelProgram, postgres, s3, broker },
    ...{ drainMs: 1_000 * wholeNumber("drain-seconds", values["drain-seconds"], 1), plants: values.plant },
    command: join(server, "dist/cli.js"),
  });
  for (const line of figuresOf(report, performance.now() - begun)) log(line);
  isWell = report.violations.length === 0;
} catch (error) {
  log(`the run itself failed: ${error.stack}`);
} finally {
  for (const { name, log: file } of services)
    if (file !== undefined) copyFileSync(file, join(folder, `${name}.log`));
  await Promise.all(services.map((service) => service.close()));
}

if (isWell && !values.keep) rmSync(folder, { recursive: true, force: true });
else {
  writeFileSync(join(folder, "run.log"), `${lines.join("\n")}\n`);
  console.log(`seed ${seed}: everything of this run is in ${folder}`);
}
process.exit(isWell ? 0 : 1);

async function startServices() {
  if (pairing === "sqlite+files") return {};
  const started = await Promise.all([
    startPostgres({ durable: true, settings: postgresSettings }),
    pairing.endsWith("+s3") ? startCeph() : undefined,
    startBroker(pairing, Number(values["rabbitmq-version"])),
  ]);
  const [postgres, ceph, broker] = started;
  services.push(...started.filter((service) => service !== undefined));
  return {
    postgres: { url: postgres.url, control: postgres },
    broker: broker?.place,
    s3: ceph && {
      endpoint: ceph.endpoint,
      accessKey: ceph.accessKey,
      secretKey: ceph.secretKey,
      region: ceph.region,
      control: ceph,
    },
  };
}
