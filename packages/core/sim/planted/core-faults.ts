import type { PlantedFault } from "./planted-fault.ts";

const BOTH = ["native", "composed"] as const;

/** Deliveries of each task since the queue was last lost; the patched state machine reads it. */
declare global {
  var simulatedDeliveries: Map<string, number> | undefined;
}

/** Faults inside the state machine, the scheduler, the ledgers and the runner. */
export const CORE_FAULTS: readonly PlantedFault[] = [
  {
    name: "no-fencing",
    says: "Whoever once held a task may settle and renew it.",
    ledgers: BOTH,
    breaks: ["outcome-by-stale-attempt", "bad-mint"],
    patches: [
      {
        file: "tasks/task-state.ts",
        find: "return task.attempt === attempt && task.holder !== undefined && !isTerminal(task.state);",
        replace: "return attempt <= task.attempt && task.holder !== undefined && !isTerminal(task.state);",
      },
    ],
  },
  {
    name: "attempt-minted-by-queue",
    says: "The number of an attempt is how often the queue has delivered the task since it was last lost.",
    ledgers: ["composed"],
    breaks: ["bad-mint"],
    patches: [
      {
        file: "tasks/task-state.ts",
        find: 'state: "scheduled", attempt: task.attempt + 1,',
        replace:
          'state: "scheduled", attempt: globalThis.simulatedDeliveries?.get(task.id) ?? task.attempt + 1,',
      },
    ],
    wrap: {
      sharedQueue(queue) {
        globalThis.simulatedDeliveries = new Map();
        let incarnation: string | undefined;
        return {
          ...queue,
          async take(request, options) {
            const current = await queue.incarnation();
            if (current !== incarnation) globalThis.simulatedDeliveries = new Map();
            incarnation = current;
            const deliveries = await queue.take(request, options);
            const counts = globalThis.simulatedDeliveries;
            for (const { id } of deliveries) counts?.set(id, (counts.get(id) ?? 0) + 1);
            return deliveries;
          },
        };
      },
    },
  },
  {
    name: "settle-not-idempotent",
    says: "The same ending by the same attempt is stale the second time.",
    ledgers: BOTH,
    breaks: ["settle-not-idempotent", "result-after-state"],
    patches: [
      {
        file: "tasks/task-state.ts",
        find: 'return task.state === item.kind && task.endedBy === "attempt" ? ACCEPTED : STALE;',
        replace: "return STALE;",
      },
    ],
  },
  {
    name: "lost-exchange-reply",
    says: "A repeated exchange gives no grants.",
    ledgers: BOTH,
    breaks: ["exchange-not-repeatable"],
    patches: [
      { file: "memory/task-table.ts", find: "grants: this.#sameGrants(request)", replace: "grants: []" },
    ],
  },
  {
    name: "renewal-by-holder",
    says: "An exchange renews everything that its runner holds, also what it never heard of.",
    ledgers: BOTH,
    breaks: ["lease-kept-for-others"],
    patches: [
      {
        file: "memory/task-table.ts",
        find: "for (const { server, id, attempt } of request.release)",
        replace: `for (const id of [...this.rows.held]) {
          const row = this.rows.get(id);
          if (row?.task.holder !== holderOf(request)) continue;
          this.rows.update(row, { ...row.task, leaseExpiresAtMs: nowMs + request.leaseMs });
        }
        for (const { server, id, attempt } of request.release)`,
      },
    ],
  },
  {
    name: "priority-inverted",
    says: "The more urgent goes last.",
    ledgers: BOTH,
    breaks: ["wrong-rank", "passed-over"],
    patches: [
      {
        file: "scheduler/rank.ts",
        find: "createdAtMs - priority * boostMs",
        replace: "createdAtMs + priority * boostMs",
      },
    ],
  },
  {
    name: "lane-blocks-others",
    says: "A lane without a free slot holds up the lanes behind it.",
    ledgers: ["native"],
    breaks: ["lane-blocked", "slot-left-idle", "passed-over"],
    patches: [
      { file: "scheduler/plan-grants.ts", find: "if (!hasRoom(room, background)) continue;", replace: "" },
      {
        file: "scheduler/plan-grants.ts",
        find: "if (room === undefined) continue;",
        replace: "if (room === undefined) return planned;",
      },
    ],
  },
  {
    name: "second-training-after-lost-202",
    says: "A broken send is sent again, whatever it was.",
    ledgers: BOTH,
    breaks: ["ran-twice", "two-runs"],
    patches: [
      {
        file: "tasks/failure-table.ts",
        find: 'task.repeatable ? "try-again" : "find-out"',
        replace: '"try-again"',
      },
    ],
  },
  {
    name: "failure-believed-at-once",
    says: "A run that looks failed for a moment is taken for one that failed.",
    ledgers: BOTH,
    breaks: ["failed-for-waiting", "two-runs"],
    patches: [
      {
        file: "tasks/decide-run.ts",
        find: "Watch.forMs(watch.provisionalSinceMs, nowMs) < SETTLE_MS",
        replace: "false",
      },
    ],
  },
  {
    name: "sent-again-after-a-crash",
    says: "A lease that ends gives the task back to its lane, sent or not.",
    ledgers: BOTH,
    breaks: ["ran-twice", "two-runs"],
    patches: [
      {
        file: "tasks/task-state.ts",
        find: 'if (task.state === "running" || (task.sentAtMs !== undefined && !task.repeatable))',
        replace: 'if (task.state === "running")',
      },
    ],
  },
  {
    name: "sent-before-commit",
    says: "Work that is not repeatable leaves before the ledger knows.",
    ledgers: BOTH,
    breaks: ["sent-before-commit"],
    patches: [
      {
        file: "tasks/run-attempt.ts",
        find: "attempt.task.repeatable || (await markSent(attempt, host, target))",
        replace: "attempt.task.repeatable || [markSent(attempt, host, target)].length === 1",
      },
    ],
  },
  {
    name: "hold-ends-with-its-task",
    says: "A hold is let go with the attempt, though the server may work on.",
    ledgers: BOTH,
    breaks: ["two-runs"],
    patches: [
      {
        file: "tasks/run-attempt.ts",
        find: "return attempt.task.background && attempt.isSent;",
        replace: "return false;",
      },
    ],
  },
  {
    name: "hold-ignored",
    says: "Background work is granted to a server that is held.",
    ledgers: BOTH,
    breaks: ["hold-broken", "two-runs"],
    patches: [
      {
        file: "memory/task-table.ts",
        find: "task.background ? this.rows.holds.has(target.server)",
        replace: "task.background ? false",
      },
      {
        file: "scheduler/plan-grants.ts",
        find: "return want.background && !held;",
        replace: "return want.background;",
      },
    ],
  },
  {
    name: "cancel-leaves-its-place",
    says: "A task that is cancelled while it waits keeps its place in the lane.",
    ledgers: ["native"],
    breaks: ["ending-changed", "ran-after-cancel"],
    patches: [{ file: "memory/lane-index.ts", find: "this.remove(before.id)", replace: "void 0" }],
  },
  {
    name: "refusal-counts",
    says: "A server that is busy or away counts against the task.",
    ledgers: BOTH,
    breaks: ["failed-for-waiting"],
    patches: [
      {
        file: "tasks/run-attempt.ts",
        find: "{ counts: false, delayMs: 0, error: verdict.error }",
        replace: "{ counts: true, delayMs: 0, error: verdict.error }",
      },
    ],
  },
  {
    name: "purge-unseen",
    says: "A queue that loses entries without a trace is not compared with the store.",
    ledgers: ["composed"],
    breaks: ["no-ending", "lane-blocked", "leaked"],
    patches: [
      {
        file: "composed-ledger/reconcile-queue.ts",
        find: "const { lost, stuck } = await watch.look(wait);",
        replace: "const { lost, stuck } = { lost: [], stuck: [] };",
      },
    ],
  },
  {
    name: "queue-never-refilled",
    says: "What the queue loses is never enqueued again.",
    ledgers: ["composed"],
    breaks: ["no-ending", "lane-blocked", "leaked"],
    patches: [
      {
        file: "composed-ledger/compose-ledger.ts",
        find: "await reconciliation.step({ signal })",
        replace: "await Promise.resolve(false)",
      },
    ],
  },
];
