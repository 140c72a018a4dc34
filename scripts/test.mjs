// Some tests start the built command and some need real servers, so the build and the servers come first. The last line
// of output is always `N passed, N failed`, counted from vitest's JSON report, so that a machine can read the outcome
// without parsing anything else: a suite that could not be loaded counts as a failure, and so does a run without a test.
// In CI a file in which something failed is run once more by itself, since other tests take their share of the machine
// from it; what does not fail again is told, and is no failure.
//
//   npm test -- [--no-services] [--with rabbitmq4] [--build-minio] [filters and options of vitest]

import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { failedFiles, readReasons, readSuites, reportOf, summary } from "./lib/test-report.mjs";
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
/** More files than these fail for a reason of their own. */
const mostRunAgain = 12;
const skipped = join(folder, "skips");

async function run(tool, toolArgs, env = {}) {
  const script = join(root, "node_modules", ...tool);
  const command = [process.execPath, script, ...toolArgs];
  return await runCommand(command, { cwd: root, env: { ...env, TURBO_TELEMETRY_DISABLED: "1" } });
}

/** Runs tests, and gives what came of them by file. */
async function runTests(testArgs) {
  const report = join(folder, "report.json");
  const unhandledFile = join(folder, "unhandled");
  for (const file of [report, unhandledFile]) rmSync(file, { force: true });
  const reporters = ["default", "json", join(root, "scripts", "lib", "unhandled-reporter.mjs")];
  const options = [...reporters.map((name) => `--reporter=${name}`), `--outputFile.json=${report}`];
  const env = { ...services.env, MODELGATE_TEST_SKIPS: skipped, MODELGATE_TEST_UNHANDLED: unhandledFile };
  const tests = await run(["vitest", "vitest.mjs"], ["run", ...options, ...testArgs], env);
  const unhandled = existsSync(unhandledFile) ? Number(readFileSync(unhandledFile, "utf8")) : 1;
  return { tests, suites: readSuites(report) ?? new Map(), unhandled };
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
let suites = new Map();
let mended = [];
let unhandled = 0;
if (build.code === 0) {
  ({ tests, suites, unhandled } = await runTests(args));
  const files = failedFiles(suites);
  if (isCi && !tests.isTold && unhandled === 0 && files.length > 0 && files.length <= mostRunAgain) {
    console.log(`\n==== ONCE MORE, BY THEMSELVES: ${files.length} files in which something failed ====`);
    const { failures } = reportOf(suites, root);
    const again = await runTests(["--no-file-parallelism", ...files]);
    ({ tests, unhandled } = again);
    suites = new Map([...suites, ...again.suites]);
    const left = new Set(reportOf(suites, root).failures.map(({ test }) => test));
    mended = failures.filter((failure) => !left.has(failure.test));
  }
}
await services.close();
if (tests.isTold) {
  rmSync(folder, { recursive: true, force: true });
  endAs({ signal: "SIGTERM" });
}
if (build.code !== 0) {
  finish({ passed: 0, failed: 1, skipped: 0 }, "The build failed; no test was run.");
}

const { counts, failures, skips } = reportOf(suites, root);
const reasons = readReasons(skipped);
const last = summary({ failures, skips, reasons, services: services.failed, mended });
// What needs a service that is not there has to be noticed, even where no test asked for it.
if (isCi) counts.failed += services.failed.length;
// An unhandled rejection or a failed set-up belongs to no test.
counts.failed += unhandled;
if (tests.code !== 0 && counts.failed === 0) counts.failed = 1;
finish(counts, last);
