// Whether the test of a row notices its weakness: green as the tree is, red with the weakness in it.

import { applyFaults } from "./apply-faults.mjs";
import { runTests } from "./run-test.mjs";

/** For all tests of one file together; real engines are slow when the machine is busy. */
const greenLimitMs = 300_000;
const redLimitMs = 150_000;

/** `greens` remembers what each file came to without a fault; `all` are the rows whose tests are run for that. */
export async function proveRow(row, { folder, env, greens, all }) {
  const { file, name } = row.test;
  if (!greens.has(file)) {
    const names = [...new Set(all.filter(({ test }) => test.file === file).map(({ test }) => test.name))];
    greens.set(file, await runTests({ file, names }, { folder, env, limitMs: greenLimitMs }));
  }
  const green = greens.get(file);
  const isOfRow = (fullName) => fullName.includes(name);
  if (green.failed.some(isOfRow) || !green.passed.some(isOfRow)) {
    const why = green.message ?? `no test of that name ran: ${name}`;
    return { isCaught: false, details: [`not green before: ${file}`, why] };
  }

  let restore;
  try {
    restore = applyFaults(row.faults, folder);
  } catch (error) {
    return { isCaught: false, details: [error.message] };
  }
  try {
    const red = await runTests({ file, names: [name] }, { folder, env, limitMs: redLimitMs });
    const seconds = `${(red.durationMs / 1000).toFixed(1)} s`;
    if (red.failed.length === 0) {
      // A fault that keeps the file from being loaded, or from coming to an end, says nothing of the test.
      const what = red.passed.length > 0 ? "stayed green" : "told nothing";
      return { isCaught: false, details: [`${file}: ${name}`, `${what}, ${seconds}: ${red.message ?? "-"}`] };
    }
    return { isCaught: true, details: [`${file}: ${name}`, `${seconds}: ${red.message ?? "failed"}`] };
  } finally {
    restore();
  }
}
