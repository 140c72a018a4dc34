// One call of vitest for named tests of one file, and what it came to.

import { spawn } from "node:child_process";
import { readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, sep } from "node:path";
import { stripVTControlCharacters } from "node:util";

/**
 * `{ passed, failed, message, durationMs }`: the full names of the tests that passed and failed, and the first line of
 * what went wrong. A file that could not be loaded has neither, and a message.
 */
export async function runTests({ file, names }, { folder, env, limitMs }) {
  // It goes with the copy, also when we are ended in the middle.
  const report = join(folder, "weakness-report.json");
  rmSync(report, { force: true });
  const begun = performance.now();
  const args = [
    join(folder, "node_modules/vitest/vitest.mjs"),
    ...["run", file, "--project", projectOf(file), "-t", names.map(escaped).join("|")],
    ...["--reporter=json", `--outputFile=${report}`, "--retry=0"],
  ];
  const { isLate, output } = await run(args, { folder, env, limitMs });
  const durationMs = performance.now() - begun;
  if (isLate) return { passed: [], failed: [], message: `not over after ${limitMs / 1000} s`, durationMs };
  return { ...readReport(report, output), durationMs };
}

/** Naming the project spares the set-up of all others. */
function projectOf(file) {
  const [kind, name] = file.split("/");
  if (kind === "packages") return name;
  return kind === "examples" ? `${kind}/${name}` : "repository";
}

function escaped(name) {
  return name.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&");
}

/** In a group of its own, so that what it started goes with it when it is over its time. */
async function run(args, { folder, env, limitMs }) {
  const child = spawn(process.execPath, args, {
    cwd: folder,
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "pipe"],
    detached: true,
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk) => (output += chunk));
  const end = () => {
    try {
      process.kill(-child.pid, "SIGKILL");
    } catch {
      // It has ended already.
    }
  };
  process.on("exit", end);
  let isLate = false;
  const timer = setTimeout(() => {
    isLate = true;
    end();
  }, limitMs);
  await new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", resolve);
  });
  clearTimeout(timer);
  process.off("exit", end);
  return { isLate, output };
}

function readReport(file, output) {
  let report;
  try {
    report = JSON.parse(readFileSync(file, "utf8"));
  } catch {
    return { passed: [], failed: [], message: firstLine(output) ?? "vitest wrote no report" };
  }
  const tests = report.testResults.flatMap((suite) => suite.assertionResults);
  const failed = tests.filter(({ status }) => status === "failed");
  const unloaded = report.testResults.find(({ status, message }) => status === "failed" && message);
  return {
    passed: tests.filter(({ status }) => status === "passed").map(({ fullName }) => fullName),
    failed: failed.map(({ fullName }) => fullName),
    // So the reporter tells of a test that took too long.
    message: firstLine(failed[0]?.failureMessages[0] ?? unloaded?.message)?.replace(
      "Error: STACK_TRACE_ERROR",
      "the test was not over in time",
    ),
  };
}

function firstLine(text) {
  const lines = stripVTControlCharacters(text ?? "").split("\n");
  return lines.map((line) => line.trim().replaceAll(`${tmpdir()}${sep}`, "")).find((line) => line !== "");
}
