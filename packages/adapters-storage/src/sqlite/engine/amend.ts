import type { AmendOutcome } from "@modelgate/core";
import { rankOf, requestCancel } from "@modelgate/core/adapter";
import type { SqlRow } from "../../rows/task-row.ts";
import type { WireAmendment } from "../wire.ts";
import { guardItem, type Session } from "./session.ts";
import { find, rowOf, update } from "./task-table.ts";

/** The outcome and the row as it is afterwards. */
export type WireAmended = readonly [AmendOutcome["outcome"], (SqlRow | undefined)?];

export function amend(session: Session, items: readonly WireAmendment[]): WireAmended[] {
  // No value of an amendment can be refused alone: ids are bound as they are, priorities were checked before.
  return items.map((item) =>
    guardItem(
      session,
      () => amendOne(session, item),
      (): WireAmended => ["unknown"],
    ),
  );
}

function amendOne(session: Session, [id, priority, boostMs]: WireAmendment): WireAmended {
  const stored = find(session, id);
  if (stored === undefined) return ["unknown"];
  const { task } = stored;
  if (priority === undefined || boostMs === undefined) {
    const { outcome, changed } = requestCancel(task, session.nowMs);
    if (changed === undefined) return [outcome, stored.row];
    update(session, stored, changed);
    return [outcome, rowOf(session, id)];
  }
  if (task.state !== "pending") return ["too_late", stored.row];
  update(session, stored, { ...task, priority, rank: rankOf(task.createdAtMs, priority, boostMs) });
  return ["done", rowOf(session, id)];
}
