// Some tests start the built command and some need real servers, so the build and the servers come first. The last line
// of output is always `N passed, N failed`, counted from vitest's JSON report, so that a machine can read the outcome
// without parsing anything else: a suite that could not be loaded counts as a failure, and so does a run without a test.
//
//   npm test -- [--no-services] [--with rabbitmq4] [--build-minio] [filters and options of vitest]

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { readReasons, readReport, summary } from "./lib/test-report.mjs";
import { endAs, runCommand } from "./services/command.mjs";
import { readNames, startServices } from "./services/launcher.mjs";
import { servicesFor } from "./services/needed.mjs";

const root = fileURLToPath(new URL("../", import.meta.url));
const isCi = process.env.CI === "true";
const own = new Set(["--no-services", "--build-minio"]);
const isAsked = (flag) => process.argv.includes(flag);
const args = process.argv.slice(2).filter((arg) => !own.has(arg));
const at = args.indexOf("--with");
const more = at === -1 ? undefined : (args.splice(at, 2)[1] ?? "");

const folder = mkdtempSync(join(tmpdir(), "modelgate-test-"));
process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
const report = join(folder, "report.json");
const skipped = join(folder, "skips");

async function run(tool, toolArgs, env = {}) {
  const script = join(root, "node_modules", ...tool);
  const command = [process.execPath, script, ...toolArgs];
  return await runCommand(command, { cwd: root, env: { ...env, TURBO_TELEMETRY_DISABLED: "1" } });
}

async function startWanted() {
  const none = { env: {}, failed: [], close: async () => {} };
  if (isAsked("--no-services")) return none;
  const buildMinio = isAsked("--build-minio");
  const say = (line) => console.error(`[services] ${line}`);
  try {
    const asked = { root, buildMinio, more: more === undefined ? [] : readNames("--with", more) };
    return await startServices(servicesFor(args, asked), { say, buildMinio });
  } catch (error) {
    return { ...none, failed: [{ name: "all", reason: error.message }] };
  }
}

function finish(counts, last = "") {
  if (last !== "") console.log(last);
  // A longer script can repeat it where it ends itself.
  if (process.env.MODELGATE_TEST_SUMMARY) writeFileSync(process.env.MODELGATE_TEST_SUMMARY, last);
  const skips = counts.skipped > 0 ? `, ${counts.skipped} skipped` : "";
  console.log(`\n${counts.passed} passed, ${counts.failed} failed${skips}`);
  process.exit(counts.failed > 0 || counts.passed === 0 ? 1 : 0);
}

const [build, services] = await Promise.all([
  run(["turbo", "bin", "turbo"], ["run", "build", "--output-logs=errors-only"]),
  startWanted(),
]);
let tests = build;
if (build.code === 0) {
  const reporters = ["--reporter=default", "--reporter=json", `--outputFile.json=${report}`];
  const env = { ...services.env, MODELGATE_TEST_SKIPS: skipped };
  tests = await run(["vitest", "vitest.mjs"], ["run", ...reporters, ...args], env);
}
await services.close();
if (tests.isTold) {
  rmSync(folder, { recursive: true, force: true });
  endAs({ signal: "SIGTERM" });
}
if (build.code !== 0) {
  finish({ passed: 0, failed: 1, skipped: 0 }, "The build failed; no test was run.");
}

const { counts, failures, skips } = readReport(report, root);
const last = summary({ failures, skips, reasons: readReasons(skipped), services: services.failed });
// What needs a service that is not there has to be noticed, even where no test asked for it.
if (isCi) counts.failed += services.failed.length;
// An unhandled rejection or a failed set-up belongs to no test; vitest tells it by its exit code alone.
if (tests.code !== 0 && counts.failed === 0) counts.failed = 1;
finish(counts, last);
