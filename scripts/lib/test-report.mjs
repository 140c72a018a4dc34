// What a reader of the last screen has to know of a run of tests: how many, which failed and why, and what was not run.

import { existsSync, readFileSync } from "node:fs";
import { relative } from "node:path";
import { stripVTControlCharacters } from "node:util";

const shownFailures = 60;
const lineLength = 200;

/** `counts`, and `failures` as one line each, from the file that vitest's JSON reporter wrote. */
export function readReport(file, root) {
  let report;
  try {
    report = JSON.parse(readFileSync(file, "utf8"));
  } catch {
    return { counts: { passed: 0, failed: 0, skipped: 0 }, failures: [], skips: [] };
  }
  const failures = [];
  const skips = [];
  let unloaded = 0;
  for (const suite of report.testResults) {
    const name = relative(root, suite.name);
    const failed = suite.assertionResults.filter(({ status }) => status === "failed");
    for (const test of failed) failures.push(oneLine(`${name} > ${test.fullName}`, test.failureMessages[0]));
    if (suite.status === "failed" && failed.length === 0) {
      unloaded += 1;
      failures.push(oneLine(`${name} (outside its tests)`, suite.message));
    }
    const skipped = suite.assertionResults.filter(({ status }) =>
      ["pending", "skipped", "todo"].includes(status),
    );
    if (skipped.length > 0) skips.push({ file: name, count: skipped.length });
  }
  const counts = {
    passed: report.numPassedTests,
    failed: report.numFailedTests + unloaded,
    skipped: report.numPendingTests + report.numTodoTests,
  };
  return { counts, failures, skips };
}

function oneLine(name, message) {
  const lines = stripVTControlCharacters(message ?? "no message").split("\n");
  const first = lines.map((line) => line.trim()).find((line) => line !== "") ?? "no message";
  return `${name}: ${first.length > lineLength ? `${first.slice(0, lineLength)}…` : first}`;
}

/** The reasons that suites gave for being skipped, by file. */
export function readReasons(file) {
  const reasons = new Map();
  if (!existsSync(file)) return reasons;
  for (const line of readFileSync(file, "utf8").split("\n").filter(Boolean)) {
    const { file: suite, reason } = JSON.parse(line);
    reasons.set(suite, [...(reasons.get(suite) ?? []), reason]);
  }
  return reasons;
}

/** The last lines before the count. `services` are those that did not start, `{ name, reason }` each. */
export function summary({ failures, skips, reasons, services }) {
  const lines = [];
  for (const { name, reason } of services) lines.push(`the service ${name}: ${reason}`);
  for (const [file, why] of reasons) lines.push(`${file}: ${[...new Set(why)].join("; ")}`);
  for (const { file, count } of skips.filter((skip) => !reasons.has(skip.file))) {
    lines.push(`${file}: ${count} skipped, as said where it ran`);
  }
  const left = failures.length - shownFailures;
  const rest = left > 0 ? [`… and ${left} more`] : [];
  return [
    ...section("NOT RUN, AND WHY", lines),
    ...section("FAILED", [...failures.slice(0, shownFailures), ...rest]),
  ].join("\n");
}

function section(title, lines) {
  if (lines.length === 0) return [];
  return ["", `==== ${title} ====`, ...lines.map((line) => `  ${line.replaceAll("\n", "\n    ")}`)];
}
