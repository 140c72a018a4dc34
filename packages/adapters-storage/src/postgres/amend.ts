import type { Amendment, AmendOutcome } from "@modelgate/core";
import { rankOf, requestCancel } from "@modelgate/core/adapter";
import { isStorable } from "../rows/storable.ts";
import type { Session } from "./session.ts";
import { lockTasks, type TaskChange, writeTasks } from "./task-rows.ts";

/** Cancels and reprioritises, one after another, in one transaction. */
export async function amendTasks(session: Session, batch: readonly Amendment[]): Promise<AmendOutcome[]> {
  const { tx, sql } = session;
  const [clock] = await tx.query(sql.now);
  const nowMs = clock?.[0] as number;
  // An id that no row can have names no task.
  const found = await lockTasks(session, [...new Set(batch.map(({ id }) => id).filter(isStorable))]);
  const changes = new Map<string, TaskChange>();
  const outcomes = batch.map((item): AmendOutcome => {
    const before = found.get(item.id);
    if (before === undefined) return { outcome: "unknown" };
    const task = changes.get(item.id)?.after ?? before.task;
    if (item.kind === "cancel") {
      const { outcome, changed } = requestCancel(task, nowMs);
      if (changed !== undefined) changes.set(item.id, { before, after: changed });
      return { outcome, task: changed ?? task };
    }
    if (task.state !== "pending") return { outcome: "too_late", task };
    const { priority, boostMs } = item;
    const after = { ...task, priority, rank: rankOf(task.createdAtMs, priority, boostMs) };
    changes.set(item.id, { before, after });
    return { outcome: "done", task: after };
  });
  await writeTasks(session, [...changes.values()], nowMs);
  await tx.commit();
  return outcomes;
}
