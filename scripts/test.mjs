// Some tests start the built command, so the build comes first. The last line of output is always
// `N passed, N failed`, counted from vitest's JSON report, so that a machine can read the outcome without parsing
// anything else: a suite that could not be loaded counts as a failure, and so does a run without a test.

import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../", import.meta.url));
const env = { ...process.env, TURBO_TELEMETRY_DISABLED: "1" };

function run(tool, args) {
  const script = join(root, "node_modules", ...tool);
  return spawnSync(process.execPath, [script, ...args], { cwd: root, env, stdio: "inherit" }).status ?? 1;
}

function finish(counts) {
  const skipped = counts.skipped > 0 ? `, ${counts.skipped} skipped` : "";
  console.log(`${counts.passed} passed, ${counts.failed} failed${skipped}`);
  process.exit(counts.failed > 0 || counts.passed === 0 ? 1 : 0);
}

function readCounts(file) {
  let report;
  try {
    report = JSON.parse(readFileSync(file, "utf8"));
  } catch {
    return { passed: 0, failed: 0, skipped: 0 };
  }
  const unloaded = report.testResults.filter(
    (suite) => suite.status === "failed" && !suite.assertionResults.some((test) => test.status === "failed"),
  );
  for (const suite of unloaded) console.error(`Suite failed outside its tests: ${suite.name}`);
  return {
    passed: report.numPassedTests,
    failed: report.numFailedTests + unloaded.length,
    skipped: report.numPendingTests + report.numTodoTests,
  };
}

if (run(["turbo", "bin", "turbo"], ["run", "build", "--output-logs=errors-only"]) !== 0) {
  console.error("The build failed; no test was run.");
  finish({ passed: 0, failed: 1, skipped: 0 });
}

const folder = mkdtempSync(join(tmpdir(), "modelgate-test-"));
const report = join(folder, "report.json");
const status = run(
  ["vitest", "vitest.mjs"],
  ["run", "--reporter=default", "--reporter=json", `--outputFile.json=${report}`, ...process.argv.slice(2)],
);
const counts = readCounts(report);
rmSync(folder, { recursive: true, force: true });

// An unhandled rejection or a failed set-up belongs to no test; vitest tells it by its exit code alone.
if (status !== 0 && counts.failed === 0) counts.failed = 1;
finish(counts);
