import type { TaskRecord } from "../../../contracts/task.ts";
import type { HistoryEvent } from "../history.ts";
import { isEnded, type MakeJudge, type World } from "../replay.ts";

/** Codes with which no task ends: what they tell of is waiting, or ours. */
const NEVER_FINAL = [
  "SERVER_BUSY",
  "SERVER_UNREACHABLE",
  "LEASE_LOST",
  "STORE_UNAVAILABLE",
  "ADAPTER_FAILED",
  "STALE_RUNNER",
  "CLOSED",
  "STOPPING",
  "PAYLOAD_LOST",
];

/** Codes with which only a task ends that nobody holds. */
const WAITING_ONLY = ["WAIT_DEADLINE", "NO_SERVER"];

/** Only what a task met counts against it, live holders keep their leases, and nothing goes on for ever. */
export const judgeFailing: MakeJudge = (report, facts) => {
  /** Calls of each task that were sent and not refused. */
  const sends = new Map<string, number>();
  /** Attempts at what is not repeatable whose send was committed. */
  const announced = new Set<string>();
  const rejected = new Set<string>();
  /** Tasks whose server answered. What is not repeatable may lose that answer to a store that is away, once and for all. */
  const answered = new Set<string>();
  const failedRuns = new Set<string>();
  const executions = new Map<number, { readonly id: string; readonly instance: string }>();
  const add = (id: string, by: number): void => void sends.set(id, (sends.get(id) ?? 0) + by);

  const seeFailure = (task: TaskRecord, before: TaskRecord | undefined, storeMs: number): void => {
    const { id, error } = task;
    const unfounded = (why: string): void =>
      report("failed-for-waiting", `it failed with ${error?.code}, but ${why}`, { id });
    const code = error?.code ?? "none";
    if (code === "STORE_UNAVAILABLE" && !task.repeatable && answered.has(id)) return;
    if (NEVER_FINAL.includes(code)) unfounded("that is no reason to fail");
    else if (code === "SERVER_REJECTED" && !rejected.has(id)) unfounded("no server rejected it");
    else if (code === "RUN_FAILED" && !failedRuns.has(id)) unfounded("no run of it failed");
    else if (code === "RESULT_REFUSED" && !facts.unwritable.includes(id))
      unfounded("its result can be written");
    else if (code === "WAIT_DEADLINE" && task.deadlineAtMs > storeMs) {
      unfounded(`its time ends in ${task.deadlineAtMs - storeMs} ms`);
    } else if (WAITING_ONLY.includes(code) && (before?.leaseExpiresAtMs ?? 0) > storeMs) {
      unfounded(`${before?.holder} held it`);
    } else if (
      code === "ATTEMPTS_EXHAUSTED" &&
      task.failures < facts.maxFailures &&
      task.lostAttempts < facts.maxFailures
    ) {
      unfounded(`only ${task.failures} attempts had failed and ${task.lostAttempts} were lost`);
    }
  };

  const seeRow = (
    event: HistoryEvent & { kind: "row" },
    before: TaskRecord | undefined,
    world: World,
  ): void => {
    const { task, atMs, storeMs } = event;
    const { id, failures, attempt } = task;
    if (task.state === "failed" && before?.state !== "failed") seeFailure(task, before, storeMs);
    if (failures > (before?.failures ?? 0)) {
      // The ledger knows that it was sent, and nobody lived to say that it was refused.
      if (wasTakenBack(event, before) && before?.sentAtMs !== undefined) add(id, 1);
      const count = task.repeatable
        ? (sends.get(id) ?? 0)
        : [...announced].filter((key) => key.startsWith(`${id}/`)).length;
      if (failures > count)
        report("failed-for-waiting", `${failures} failures are counted; ${count} sends were not refused`, {
          id,
        });
      if (failures > facts.maxFailures)
        report("too-many-attempts", `${failures} failures are counted`, { id });
    }
    if (attempt > facts.maxAttempts && attempt !== before?.attempt)
      report("too-many-attempts", `attempt ${attempt}`, { id });
    if (before?.holder === undefined || task.holder === before.holder || event.cause !== "sweep") return;
    const by = world.holders.get(before.holder);
    const process = by === undefined ? undefined : world.processes.get(by);
    const quietMs =
      atMs - Math.max(world.faultAtMs, world.storeSteppedAtMs, world.phaseAtMs, process?.disturbedAtMs ?? 0);
    if (process?.isAlive === true && !process.isPaused && !isEnded(before) && quietMs > 3 * facts.leaseMs) {
      report(
        "live-lease-lost",
        `attempt ${before.attempt} was taken from ${by}, which lives, while nothing failed`,
        { id },
      );
    }
  };

  return {
    see(event, world, before) {
      switch (event.kind) {
        case "sent":
          if (world.rows.get(event.id)?.repeatable !== false) add(event.id, 1);
          break;
        case "exchange":
          // What is not repeatable counts from when its send was announced: nobody can tell a crash before it from one after.
          for (const [at, item] of event.settle.entries()) {
            if (item.kind === "sent" && event.settled[at]?.outcome !== "stale")
              announced.add(`${item.id}/${item.attempt}`);
          }
          break;
        case "answered":
          if (event.outcome === "done" || event.outcome === "rejected") answered.add(event.id);
          if (event.outcome.startsWith("refused") && world.rows.get(event.id)?.repeatable !== false)
            add(event.id, -1);
          else if (event.outcome.startsWith("rejected")) rejected.add(event.id);
          break;
        case "begun":
          executions.set(event.execution, event);
          break;
        case "finished": {
          const execution = executions.get(event.execution);
          if (execution !== undefined && event.how !== "done") failedRuns.add(execution.id);
          break;
        }
        case "server":
          // Whatever an instance knew of its runs is gone with it.
          if (event.isUp) break;
          for (const { id, instance } of executions.values()) {
            if (instance === event.instance) failedRuns.add(id);
          }
          break;
        case "row":
          seeRow(event, before, world);
          break;
      }
    },
  };
};

/** A sweep may find at once that the task has waited too long, and then tells that in place of the lost lease. */
function wasTakenBack(
  { task, cause }: HistoryEvent & { kind: "row" },
  before: TaskRecord | undefined,
): boolean {
  const code = task.error?.code ?? "none";
  if (code === "LEASE_LOST") return true;
  return cause === "sweep" && before?.holder !== undefined && WAITING_ONLY.includes(code);
}
