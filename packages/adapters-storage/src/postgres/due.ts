import type { Page, TaskRecord } from "@modelgate/core";
import { compareRank } from "@modelgate/core/adapter";
import { type DueQuery, dueCursorOf } from "../rows/due-query.ts";
import { isStorable } from "../rows/storable.ts";
import { toRecord } from "../rows/task-row.ts";
import { FORGETTABLE, type Session } from "./session.ts";

/** Waiting tasks of some lanes whose back-off is over, in one trip. What it reads depends on what it gives. */
export async function listDue({ tx, sql }: Session, { lanes, after }: DueQuery): Promise<Page<TaskRecord>> {
  // No task waits in a lane whose name the server would refuse.
  const asked = lanes.filter(([lane]) => isStorable(lane));
  const isOne = lanes.length === 1;
  void tx.query(FORGETTABLE);
  void tx.query(sql.promote, [null]);
  const [rank, id] = after ?? [Number.NEGATIVE_INFINITY, ""];
  const found = tx.query(sql.due, [
    asked.map(([lane]) => lane),
    asked.map(([, background]) => background),
    // One more tells whether there are more.
    asked.map(([, , max]) => (isOne ? max + 1 : max)),
    rank,
    isStorable(id) ? id : "",
  ]);
  await tx.commit();
  const items = (await found).map((row) => toRecord(row));
  const [only] = asked;
  if (!isOne || only === undefined) return { items: items.sort(compareRank) };
  const page = items.slice(0, only[2]);
  const last = page.at(-1);
  return { items: page, nextCursor: items.length > page.length && last ? dueCursorOf(last) : undefined };
}
