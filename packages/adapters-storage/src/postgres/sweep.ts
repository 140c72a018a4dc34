import type { SweepReply, SweepRequest, TaskRecord } from "@modelgate/core";
import {
  endByLedger,
  expire,
  isTerminal,
  laneEndings,
  NO_SERVER,
  WAITED_TOO_LONG,
} from "@modelgate/core/adapter";
import { finite } from "../rows/finite.ts";
import { isStorable } from "../rows/storable.ts";
import type { SqlRow } from "../rows/task-row.ts";
import type { Session } from "./session.ts";
import { toStored, writeTasks } from "./task-rows.ts";

/** However high the limit: what is changed is held in memory. */
const MOST_CHANGES = 100_000;

/** Takes back what leases have left and ends what waited too long; oldest first. What others have locked is left to them. */
export async function sweepLive(
  session: Session,
  request: SweepRequest,
): Promise<Pick<SweepReply, "returned" | "ended"> & { readonly room: number }> {
  const { tx, sql, random } = session;
  const [clock] = await tx.query(sql.now);
  const nowMs = clock?.[0] as number;
  const changed: TaskRecord[] = [];
  const limit = Math.min(finite(request.limit), MOST_CHANGES);
  let room = limit;
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
  const endings = laneEndings(request);
  // No task waits under a name that the server would refuse, and with it the whole sweep.
  const models = [...endings.keys()].filter(isStorable);
  for (const ask of models.length === 0 ? [] : [sql.unserved, sql.unservedDelayed]) {
    await change(
      () => tx.query(ask, [models, room]),
      (task) => endByLedger(task, "failed", endings.get(task.model) ?? NO_SERVER, nowMs),
    );
  }
  // Runners that know of no server exchange nothing, and nobody else does it.
  void tx.query(sql.promote, [Math.max(0, limit)]);
  await tx.commit();
  return {
    returned: changed.filter(({ state }) => state === "pending"),
    ended: changed.filter(({ state }) => isTerminal(state)),
    room,
  };
}
