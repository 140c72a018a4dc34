// What becomes of a task while a server works on it, and of a training above all.

const attempts = "packages/core/test/gateway/attempts.test.ts";
const runLimits = "packages/core/test/tasks/run-limits.test.ts";
const outcomes = "packages/core/test/protocols/cms-outcomes.test.ts";

export const running = [
  {
    id: "W-1",
    title: "A training whose server is busy with another one fails instead of waiting",
    faults: [
      {
        file: "packages/core/src/protocols/cms-call.ts",
        find: "if (status === 429 || status === 503) {",
        replace: "if (status === 429) {",
      },
    ],
    test: { file: outcomes, name: "503 that names a run is busy with it" },
  },
  {
    id: "W-2",
    title: "A task is done with before its result is stored, so that a crash loses it",
    faults: [
      {
        file: "packages/core/src/tasks/run-attempt.ts",
        find: "  let result: ResultRef;\n  try {",
        replace:
          '  let result: ResultRef;\n  await finish(attempt, host, { ...attempt.ref(), kind: "succeeded", releaseHold: true,\n    result: { sizeBytes: 0, inline: new Uint8Array() } });\n  try {',
      },
    ],
    test: { file: attempts, name: "keeps the whole answer before its task ends" },
  },
  {
    id: "W-9",
    title: "Any error of the tracker means that the run has failed",
    faults: [
      {
        file: "packages/core/src/tasks/watch-run.ts",
        find: '} catch {\n    return { run: "unclear" };',
        replace: '} catch {\n    return { run: "failed" };',
      },
    ],
    test: { file: runLimits, name: "goes on while nobody can tell how it is, and ends as it really ended" },
  },
  {
    id: "W-10",
    title: "A run that never ends is watched for ever, and keeps its slot",
    faults: [
      {
        file: "packages/core/src/tasks/decide-run.ts",
        find: "nowMs - watch.sentMs > target.spec.timeoutMs;",
        replace: "nowMs - watch.sentMs > target.spec.timeoutMs * 1_000;",
      },
    ],
    test: {
      file: runLimits,
      name: "that never ends is over after its time, and takes no slot until then",
    },
  },
  {
    id: "W-11",
    title: "A training whose answer was lost is sent a second time",
    faults: [
      {
        file: "packages/core/src/tasks/failure-table.ts",
        find: 'return { next: task.repeatable ? "try-again" : "find-out", error: BROKEN[outcome.reason] };',
        replace: 'return { next: "try-again", error: BROKEN[outcome.reason] };',
      },
    ],
    test: {
      file: attempts,
      name: "sends nothing again that must not run twice when the answer was lost",
    },
  },
  {
    id: "W-20",
    title: "Of a training that failed nothing is kept but a text",
    faults: [
      {
        file: "packages/core/src/tasks/decide-run.ts",
        find: 'return { ...ref, kind: "failed", error: FAILED, result, releaseHold };',
        replace: 'return { ...ref, kind: "failed", error: FAILED, releaseHold };',
      },
    ],
    test: { file: runLimits, name: "that fails keeps what was said of it as its result" },
  },
  {
    id: "W-23",
    title: "Nobody is told when a task has ended",
    open: "Callers can wait for an ending (Prefer: wait), and whoever embeds the gateway hears of it by its events; calls to an address of the caller's own choice are not there yet.",
  },
  {
    id: "W-25",
    title: "Every status of a server means the same",
    faults: [
      {
        file: "packages/core/src/protocols/cms-call.ts",
        find: "const BAD_GATEWAY = [502, 504];",
        replace: "const BAD_GATEWAY: number[] = [];",
      },
    ],
    test: {
      file: outcomes,
      name: "502 is broken by a bad gateway",
      written: { text: "%i is broken by a bad gateway" },
    },
  },
];
