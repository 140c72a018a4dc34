// The figures of a chaos run, for people.

const SHOWN = 30;

export function figuresOf(report, tookMs) {
  const { violations } = report;
  const pairs = (counts) =>
    Object.entries(counts)
      .map(([name, count]) => `${name} ${count}`)
      .join(", ") || "none";
  return [
    "",
    `seed                ${report.seed}`,
    `tasks accepted      ${report.accepted}`,
    `ended               ${pairs(report.states)}`,
    `failed with         ${pairs(report.failures)}`,
    `attempts            ${report.attempts}, ${report.sentAgain} calls seen more than once by model servers`,
    `calls at once       ${report.peak} at most on one model server`,
    `seen                ${report.events} events; ${pairs(report.counts)}`,
    `objects swept       ${pairs(report.swept)}`,
    `still looked into   ${report.looksInto}`,
    `violations          ${violations.length}`,
    `took                ${(tookMs / 1_000).toFixed(0)} s`,
    ...violations.slice(0, SHOWN).map((violation) => `  ${violation}`),
  ];
}
