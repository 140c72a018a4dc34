// What a reader of the last screen has to know of a run of tests: how many, which failed and why, and what was not run.

import { existsSync, readFileSync } from "node:fs";
import { relative } from "node:path";
import { stripVTControlCharacters } from "node:util";

const shownFailures = 60;
const lineLength = 200;

/** What the JSON reporter of vitest wrote, by file; `undefined` when it wrote nothing. */
export function readSuites(file) {
  try {
    const { testResults } = JSON.parse(readFileSync(file, "utf8"));
    return new Map(testResults.map((suite) => [suite.name, suite]));
  } catch {
    return undefined;
  }
}

/** The files in which something failed. */
export function failedFiles(suites) {
  return [...suites].filter(([, suite]) => hasFailed(suite)).map(([name]) => name);
}

/** `counts`, and of each failure the test and a line for people. */
export function reportOf(suites, root) {
  const failures = [];
  const skips = [];
  const counts = { passed: 0, failed: 0, skipped: 0 };
  for (const suite of suites.values()) {
    const name = relative(root, suite.name);
    const failed = suite.assertionResults.filter(({ status }) => status === "failed");
    for (const test of failed)
      failures.push(failureOf(`${name} > ${test.fullName}`, test.failureMessages[0]));
    const isUnloaded = suite.status === "failed" && failed.length === 0;
    if (isUnloaded) failures.push(failureOf(`${name} (outside its tests)`, suite.message));
    const skipped = suite.assertionResults.filter(({ status }) =>
      ["pending", "skipped", "todo"].includes(status),
    );
    if (skipped.length > 0) skips.push({ file: name, count: skipped.length });
    counts.passed += suite.assertionResults.filter(({ status }) => status === "passed").length;
    counts.failed += failed.length + (isUnloaded ? 1 : 0);
    counts.skipped += skipped.length;
  }
  return { counts, failures, skips };
}

function hasFailed(suite) {
  return suite.status === "failed" || suite.assertionResults.some(({ status }) => status === "failed");
}

function failureOf(test, message) {
  return { test, line: oneLine(test, message) };
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

/**
 * The last lines before the count. `services` are those that did not start, `{ name, reason }` each; `mended` are
 * failures that did not come again when their files were run by themselves.
 */
export function summary({ failures, skips, reasons, services, mended }) {
  const lines = [];
  for (const { name, reason } of services) lines.push(`the service ${name}: ${reason}`);
  for (const [file, why] of reasons) lines.push(`${file}: ${[...new Set(why)].join("; ")}`);
  for (const { file, count } of skips.filter((skip) => !reasons.has(skip.file))) {
    lines.push(`${file}: ${count} skipped, as said where it ran`);
  }
  return [
    ...section("NOT RUN, AND WHY", lines),
    ...section("FAILED BESIDE OTHERS, PASSED WHEN RUN ALONE", shown(mended)),
    ...section("FAILED", shown(failures)),
  ].join("\n");
}

function shown(failures) {
  const left = failures.length - shownFailures;
  return [
    ...failures.slice(0, shownFailures).map(({ line }) => line),
    ...(left > 0 ? [`… and ${left} more`] : []),
  ];
}

function section(title, lines) {
  if (lines.length === 0) return [];
  return ["", `==== ${title} ====`, ...lines.map((line) => `  ${line.replaceAll("\n", "\n    ")}`)];
}
