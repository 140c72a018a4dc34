// biome-ignore-all lint/suspicious/noTemplateCurlyInString: faults are pieces of sources.
// Order, and what a queue, a database or a crash may lose.

const ledgerKit = "packages/core/test/testing/ledger.test.ts";
const ofKit = (file) => `packages/core/src/testing/ledger-kit/${file}.ts`;
const attempts = "packages/core/test/gateway/attempts.test.ts";

export const queueing = [
  {
    id: "W-3",
    title: "What a crashed scheduler held is dropped, and stays as it was for ever",
    faults: [
      {
        file: "packages/core/src/memory/task-table.ts",
        find: "this.rows.update(row, state.expire(row.task, nowMs, this.#random));\n      changed.push(row.task);",
        replace: "continue;",
      },
    ],
    test: {
      file: ledgerKit,
      name: "a task whose lease has ended is taken back by a sweep, and that is no failure of it",
      written: { file: ofKit("leases") },
    },
  },
  {
    id: "W-4",
    title: "A second word on the same delivery ends the whole consumer",
    faults: [
      {
        file: "packages/core/src/tasks/task-state.ts",
        find: "if (!isHeld(task, item.attempt)) return settleAgain(task, item);",
        replace: 'if (!isHeld(task, item.attempt)) throw new Error("unknown delivery tag");',
      },
    ],
    test: {
      file: ledgerKit,
      name: "each settlement and renewal gets its own outcome, in order, also for what is not there",
      written: { file: ofKit("settling") },
    },
  },
  {
    id: "W-5",
    title: "One scheduler takes the whole queue at once, which makes priorities mean nothing",
    faults: [
      {
        file: "packages/core/src/composed-ledger/grant-waiting.ts",
        find: "({ lane, background, max: count }));\n  return { lanes: [...lanes(slots, false), ...lanes(holds, true)], max };",
        replace:
          "({ lane, background, max: 1_000 + count - count }));\n  return { lanes: [...lanes(slots, false), ...lanes(holds, true)], max: 1_000 };",
      },
    ],
    test: {
      file: "packages/core/test/composed-ledger/compose-ledger.test.ts",
      name: "asks for no more than can start now, and for no lane without room",
    },
  },
  {
    id: "W-6",
    title: "A task that never got into the queue waits for ever",
    faults: [
      {
        file: "packages/core/src/composed-ledger/compose-ledger.ts",
        find: "await reconciliation.step({ signal })",
        replace: "await Promise.resolve(false)",
      },
    ],
    test: {
      file: "packages/core/test/composed-ledger/crashes.test.ts",
      name: "by a crash at ledger.enqueue-new",
      written: { text: "by a ${mode} at ${name}" },
    },
  },
  {
    id: "W-7",
    title: "What is submitted counts as accepted before anything has confirmed it",
    faults: [
      {
        file: "packages/core/src/gateway/intake.ts",
        find: 'if (isLast || !GatewayError.is(error, "STORE_UNAVAILABLE")) throw error;',
        replace:
          'if (isLast) return tasks.map((task) => ({ outcome: "accepted", task: { ...task, state: "pending" } }));',
      },
    ],
    test: {
      file: "packages/core/test/gateway/roles.test.ts",
      name: "is refused after some tries, unless it was told to wait",
    },
  },
  {
    id: "W-8",
    title: "An error of the database at the first write drops the task from the queue",
    faults: [
      {
        file: "packages/core/src/composed-ledger/grant-waiting.ts",
        find: "await settle(queue, deliveries.map(backAtOnce));\n      throw error;",
        replace:
          'await settle(queue, deliveries.map(({ receipt }) => ({ receipt, kind: "done" })));\n      throw error;',
      },
    ],
    test: {
      file: "packages/core/test/composed-ledger/compose-ledger.test.ts",
      name: "gives deliveries back when the claim fails",
    },
  },
  {
    id: "W-21",
    title: "Two schedulers may both win one task, and the later overwrites what the other wrote",
    faults: [
      {
        file: "packages/core/src/tasks/task-state.ts",
        find: "return task.attempt === attempt && task.holder !== undefined && !isTerminal(task.state);",
        replace: "return attempt <= task.attempt && !isTerminal(task.state);",
      },
    ],
    test: {
      file: ledgerKit,
      name: "who was away longer than its lease comes too late: it is told who holds the task and changes nothing",
      written: { file: ofKit("fencing") },
    },
  },
  {
    id: "W-22",
    title: "The priority of every task is 0",
    faults: [
      {
        file: "packages/core/src/scheduler/rank.ts",
        find: "return createdAtMs - priority * boostMs;",
        replace: "return createdAtMs - 0 * priority * boostMs;",
      },
    ],
    test: {
      file: "packages/core/test/scheduler/urgency.test.ts",
      name: "starts next, though 10,000 background tasks have waited for 30 minutes",
    },
  },
  {
    id: "W-26",
    title: "Waiting for a server that answered 429 takes a slot all the while",
    faults: [
      {
        file: "packages/core/src/tasks/run-attempt.ts",
        find: "return await handBack(attempt, host, { counts: false, delayMs: 0, error: verdict.error });",
        replace:
          "await new Promise((resolve) => host.clock.after(60_000, () => resolve(undefined)));\n      return await handBack(attempt, host, { counts: false, delayMs: 0, error: verdict.error });",
      },
    ],
    test: {
      file: attempts,
      name: "takes no slot and fails nothing while its server wants to be left alone",
    },
  },
  {
    id: "W-28",
    title: "A task goes to where its server was when it was submitted",
    faults: [
      {
        file: "packages/core/src/routing/server-directory.ts",
        find: "      known.server = server;",
        replace: "      known.server = { ...server, url: known.server.url };",
      },
    ],
    test: {
      file: attempts,
      name: "waits for a server that is not ready, and goes to where it is by then",
    },
  },
  {
    id: "W-29",
    title: "A task for a server that is busy or starting is refused instead of kept",
    faults: [
      {
        file: "packages/core/src/gateway/intake.ts",
        find: "return this.#directory.knows(model) || this.#isExpected(model);",
        replace: "return this.#directory.hasReady(model) || this.#isExpected(model);",
      },
    ],
    test: {
      file: attempts,
      name: "waits for a server that is not ready, and goes to where it is by then",
    },
  },
];
