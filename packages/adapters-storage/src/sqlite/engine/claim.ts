import { holderOf, type LoggedGrant } from "@modelgate/core/adapter";
import type { WireClaim, WireClaimed, WireClaims } from "../wire.ts";
import { grantTask } from "./grant.ts";
import { Room } from "./room.ts";
import { addGrants, requireSequence } from "./runner-table.ts";
import type { Session } from "./session.ts";

// Once promoted it may be granted, although the record still tells of the back-off.
const WAITING = `
SELECT background, CASE ready WHEN 0 THEN not_before END FROM tasks WHERE id = ? AND state = 0`;

/** Grants the tasks that are named, each to the first of its servers that has room. */
export function claim(session: Session, request: WireClaims): WireClaimed[] {
  const earlier = requireSequence(session, request);
  const holder = holderOf(request);
  const servers = new Set(request.claims.flatMap(([, targets]) => targets.map(([server]) => server)));
  const room = new Room(session, servers.size);
  const logged: LoggedGrant[] = [];
  const outcomes = request.claims.map((each) => {
    return claimOne(session, each, room, holder, request.leaseMs, logged);
  });
  if (logged.length > 0) addGrants(session, request, [...earlier, ...logged]);
  return outcomes;
}

function claimOne(
  session: Session,
  [id, targets]: WireClaim,
  room: Room,
  holder: string,
  leaseMs: number,
  logged: LoggedGrant[],
): WireClaimed {
  const waiting = session.db.sql(WAITING).get([id]) as readonly [0 | 1, number | null] | undefined;
  if (waiting === undefined) return "gone";
  const [background, dueAtMs] = waiting;
  if (dueAtMs !== null && dueAtMs > session.nowMs) return dueAtMs - session.nowMs;
  for (const [server, instance, limit] of targets) {
    const target = { server, instance: instance ?? undefined, limit };
    if (!room.hasFor(target, background === 1)) continue;
    const granted = grantTask(session, id, target, holder, leaseMs);
    if (granted === undefined) return "gone";
    room.take(target, granted.background, id, granted.attempt);
    logged.push({ id, attempt: granted.attempt, kind: "run" });
    return granted.wire;
  }
  return "full";
}
