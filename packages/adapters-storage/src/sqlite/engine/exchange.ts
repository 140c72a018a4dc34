import {
  holderOf,
  type LoggedGrant,
  planGrants,
  type ServerRoom,
  type WaitingTask,
} from "@modelgate/core/adapter";
import type { WireExchange, WireExchanged, WireGrant } from "../wire.ts";
import { beginExchange } from "./apply.ts";
import { grantTask } from "./grant.ts";
import { openLaneCursor } from "./lane-cursor.ts";
import { openGroups } from "./model-lists.ts";
import { Room } from "./room.ts";
import { saveSequence } from "./runner-table.ts";
import type { Session } from "./session.ts";

/** Settles, renews, releases, recovers and grants. Does what the ledger in memory does, in the same order. */
export function exchange(session: Session, request: WireExchange): WireExchanged {
  const servers = request.want.map(([server]) => server);
  const { begun, settled, renewed, orphans, grants, logged, due } = beginExchange(session, request, servers);
  if (!begun.repeated) {
    if (request.want.length > 0) grants.push(...grantNew(session, request, holderOf(request), logged));
    saveSequence(session, request, logged, begun.retired);
  }
  return { nowMs: session.nowMs, settled, renewed, grants, orphans, due };
}

function grantNew(
  session: Session,
  request: WireExchange,
  holder: string,
  logged: LoggedGrant[],
): WireGrant[] {
  const grouped = session.modelLists.group(request.want);
  const room = new Room(session, grouped.wants.length);
  const rooms = grouped.wants.map(
    (want): ServerRoom => ({ want, used: room.used(want.server), held: room.isHeld(want.server) }),
  );
  const free = rooms.reduce(
    (sum, { want, used }) => sum + Math.max(0, Math.min(want.max, want.limit - used)),
    0,
  );
  // The heads of lanes must be true before many lanes are read by them.
  session.lanes.flush();
  const backgroundIds = new Set<string>();
  const open = openGroups(grouped, (group, background) => {
    const cursor = openLaneCursor(
      session.db,
      group,
      background,
      background === 1 ? 4 : Math.min(free + 1, 256),
    );
    return background === 0 ? cursor : { next: () => noted(cursor.next(), backgroundIds) };
  });
  return planGrants(rooms, open).flatMap(({ id, want }): WireGrant[] => {
    if (!room.hasFor(want, backgroundIds.has(id))) return [];
    const granted = grantTask(session, id, want, holder, request.leaseMs);
    if (granted === undefined) return [];
    room.take(want, granted.background, id, granted.attempt);
    logged.push({ id, attempt: granted.attempt, kind: "run" });
    return [granted.wire];
  });
}

function noted(task: WaitingTask | undefined, ids: Set<string>): WaitingTask | undefined {
  if (task !== undefined) ids.add(task.id);
  return task;
}
