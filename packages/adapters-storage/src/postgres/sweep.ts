import type { SweepReply, SweepRequest, TaskRecord } from "@modelgate/core";
import { endByLedger, expire, isTerminal, NO_SERVER, WAITED_TOO_LONG } from "@modelgate/core/adapter";
import { finite } from "../rows/finite.ts";
import type { SqlRow } from "../rows/task-row.ts";
import type { Session } from "./session.ts";
import { toStored, writeTasks } from "./task-rows.ts";

/** Takes back what leases have left and ends what waited too long; oldest first. What others have locked is left to them. */
export async function sweepLive(
  session: Session,
  request: SweepRequest,
): Promise<Pick<SweepReply, "returned" | "ended"> & { readonly room: number }> {
  const { tx, sql, random } = session;
  const [clock] = await tx.query(sql.now);
  const nowMs = clock?.[0] as number;
  const changed: TaskRecord[] = [];
  let room = Math.min(finite(request.limit), 100_000);
  const change = async (
    ask: () => Promise<SqlRow[]>,
    to: (task: TaskRecord) => TaskRecord,
  ): Promise<void> => {
    if (room <= 0) return;
    const changes = (await ask()).map((row) => {
      const before = toStored(row);
      return { before, after: to(before.task) };
    });
    await writeTasks(session, changes, nowMs);
    room -= changes.length;
    changed.push(...changes.map(({ after }) => after));
  };
  await change(
    () => tx.query(sql.expired, [room]),
    (task) => expire(task, nowMs, random),
  );
  await change(
    () => tx.query(sql.overdue, [room]),
    (task) => endByLedger(task, "failed", WAITED_TOO_LONG, nowMs),
  );
  const models = [...new Set(request.unserved)];
  for (const ask of models.length === 0 ? [] : [sql.unserved, sql.unservedDelayed]) {
    await change(
      () => tx.query(ask, [models, room]),
      (task) => endByLedger(task, "failed", NO_SERVER, nowMs),
    );
  }
  await tx.commit();
  return {
    returned: changed.filter(({ state }) => state === "pending"),
    ended: changed.filter(({ state }) => isTerminal(state)),
    room,
  };
}
