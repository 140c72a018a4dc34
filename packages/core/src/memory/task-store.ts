import { systemClock } from "../clock.ts";
import type { Clock } from "../contracts/clock.ts";
import type { Settlement } from "../contracts/ledger.ts";
import type { TaskRecord } from "../contracts/task.ts";
import type { Claim, ClaimOutcome, ClaimRequest, TaskStore } from "../contracts/task-store.ts";
import { openness } from "../openness.ts";
import { DueLanes } from "./due-lanes.ts";
import { LaneIndex } from "./lane-index.ts";
import { TaskTable } from "./task-table.ts";

export interface MemoryTaskStoreOptions {
  /** The store's clock. */
  readonly clock?: Clock | undefined;
  /** For the jitter of back-offs; in [0, 1). */
  readonly random?: (() => number) | undefined;
}

/** Rows of tasks in memory, without order; nothing durable. `composeLedger` adds a queue. */
export function memoryTaskStore(options: MemoryTaskStoreOptions = {}): TaskStore {
  const { clock = systemClock, random = Math.random } = options;
  const returned = new Set<string>();
  // To tell what is due first; what is granted is up to whoever claims.
  const lanes = new LaneIndex();
  const table = new TaskTable(clock, random, (before, after) => {
    lanes.follow(before, after);
    if (after?.state === "pending" && before !== undefined && before.state !== "pending")
      returned.add(after.id);
  });
  const due = new DueLanes(
    lanes,
    (id) => table.rows.get(id)?.task,
    () => table.rows.waiting,
  );
  const guard = openness("memory task store");

  return {
    capabilities: { shared: false, durable: false },
    insert: guard.wrap(async (batch) => table.insert(batch)),
    apply: guard.wrap(async (request) => {
      returned.clear();
      const { settled, renewed, grants, repeated } = table.apply(request);
      // Whoever repeats did not see the reply: what it handed back may not have reached the queue.
      if (repeated)
        for (const item of request.settle) if (isStillReturned(table, item)) returned.add(item.id);
      return {
        nowMs: clock.now(),
        settled,
        renewed,
        grants,
        repeated,
        orphanHolds: table.rows.orphanHolds(request.servers),
        returned: waiting(table, returned),
        used: Object.fromEntries(request.servers.map((server) => [server, table.rows.used(server)])),
        held: request.servers.filter((server) => table.rows.holds.has(server)),
      };
    }),
    claim: guard.wrap(async (request) => {
      table.requireOpen(request);
      return request.claims.map((claim) => claimOne(table, request, claim, clock.now()));
    }),
    get: guard.wrap(async (ids, { bodies = "none" } = {}) => ids.map((id) => table.rows.read(id, bodies))),
    list: guard.wrap(async (request = {}) =>
      "due" in request ? due.list(request, clock.now()) : table.rows.list(request),
    ),
    amend: guard.wrap(async (batch) => table.amend(batch)),
    sweep: guard.wrap(async (request) => table.sweep(request)),
    stats: guard.wrap(async () => {
      lanes.promote(clock.now());
      return table.rows.stats(lanes);
    }),
    close: guard.close,
  };
}

function isStillReturned(table: TaskTable, item: Settlement): boolean {
  const task = table.rows.get(item.id)?.task;
  const handsBack = item.kind === "returned" || item.kind === "abandoned";
  return handsBack && task?.state === "pending" && task.attempt === item.attempt;
}

function waiting(table: TaskTable, ids: Iterable<string>): TaskRecord[] {
  return [...ids].flatMap((id) => {
    const task = table.rows.get(id)?.task;
    return task?.state === "pending" ? [task] : [];
  });
}

function claimOne(table: TaskTable, request: ClaimRequest, claim: Claim, nowMs: number): ClaimOutcome {
  const row = table.rows.get(claim.id);
  if (row?.task.state !== "pending") return { outcome: "gone" };
  const delayMs = (row.task.notBeforeAtMs ?? nowMs) - nowMs;
  if (delayMs > 0) return { outcome: "not_yet", delayMs };
  for (const target of claim.servers) {
    const grant = table.grant(request, row, target);
    if (grant !== undefined) return { outcome: "granted", grant };
  }
  return { outcome: "full" };
}
