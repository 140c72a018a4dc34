import { type Begun, expire, holderOf, type LoggedGrant, recover, unbegin } from "@modelgate/core/adapter";
import type { SqlRow } from "../../rows/task-row.ts";
import { TASK_COLUMNS } from "../../rows/task-row.ts";
import type {
  WireApplied,
  WireApply,
  WireExchangeParts,
  WireGrant,
  WireHold,
  WireOutcome,
  WireSettlement,
} from "../wire.ts";
import { payloadOf, toGrant } from "./grant.ts";
import { promote } from "./promote.ts";
import { Room } from "./room.ts";
import { openSequence, saveSequence } from "./runner-table.ts";
import type { Session } from "./session.ts";
import { renewAll, settleAll } from "./settle.ts";
import { find, releaseHold, rowOf, toStored, update } from "./task-table.ts";

const TO_RECOVER = `
SELECT ${TASK_COLUMNS} FROM tasks WHERE holder IS NULL AND state IN (1, 2) ORDER BY orphaned LIMIT ?`;
const HELD_BY = `SELECT ${TASK_COLUMNS} FROM tasks WHERE holder IS NOT NULL AND holder = ? ORDER BY lease_at, seq`;
const HOLDS = "SELECT server, id, attempt, instance FROM holds";

/** What an exchange came to before anything is granted that waited. */
export interface Begins {
  readonly begun: Begun;
  readonly settled: WireOutcome[];
  readonly renewed: WireOutcome[];
  readonly orphans: WireHold[];
  /** Recoveries, or all that was granted under this sequence before. */
  readonly grants: WireGrant[];
  readonly logged: LoggedGrant[];
  /** When the next delayed task is due. */
  readonly due: number | undefined;
}

/** Settles, renews, releases and recovers: all of an exchange that needs no order. */
export function beginExchange(
  session: Session,
  request: WireExchangeParts,
  servers: readonly string[],
): Begins {
  const begun = openSequence(session, request);
  const holder = holderOf(request);
  if (begun.replaced !== undefined) takeBackAll(session, begun.replaced);
  for (const grant of begun.unacknowledged) takeBack(session, grant, holder);
  const settled = settleAll(session, request.settle);
  const renewed = renewAll(session, request.renew, request.leaseMs);
  for (const [server, id, attempt] of request.release) releaseOrphan(session, server, id, attempt);
  const orphans = orphanHolds(session, servers);
  const logged: LoggedGrant[] = [];
  const grants = begun.repeated
    ? sameGrants(session, begun.grants, holder)
    : recoverSome(session, request, holder, logged);
  return { begun, settled, renewed, orphans, grants, logged, due: promote(session) };
}

/** An exchange without new work; tells what waits again because of it, and the load of the servers. */
export function apply(session: Session, request: WireApply): WireApplied {
  const { servers } = request;
  const returned = new Set<string>();
  session.returned = returned;
  try {
    const { begun, settled, renewed, orphans, grants, logged } = beginExchange(session, request, servers);
    const { repeated, retired } = begun;
    if (!repeated) saveSequence(session, request, logged, retired);
    else for (const id of stillReturned(session, request.settle)) returned.add(id);
    const room = new Room(session, servers.length);
    return {
      nowMs: session.nowMs,
      settled,
      renewed,
      grants,
      repeated,
      orphans,
      returned: waitingRows(session, returned),
      used: servers.map((server) => room.used(server)),
      held: servers.filter((server) => room.isHeld(server)),
    };
  } finally {
    session.returned = undefined;
  }
}

/** Whoever repeats did not see the reply: what it handed back may not have reached the queue. */
function stillReturned(session: Session, settle: readonly WireSettlement[]): string[] {
  return settle.flatMap(({ item: { id, kind, attempt } }) => {
    if (kind !== "returned" && kind !== "abandoned") return [];
    return rowOf(session, id)?.[6] === attempt ? [id] : [];
  });
}

/** As they are now: of one that was handed back and then granted again there is nothing to tell. */
function waitingRows(session: Session, ids: Iterable<string>): SqlRow[] {
  return Array.from(ids, (id) => rowOf(session, id)).filter((row) => row?.[5] === 0) as SqlRow[];
}

/** Takes back everything that a holder has. */
function takeBackAll(session: Session, holder: string): void {
  for (const row of session.db.sql(HELD_BY).all([holder])) {
    const stored = toStored(row);
    update(session, stored, expire(stored.task, session.nowMs, session.random));
  }
}

/** A grant whose reply was never seen was never begun: it goes back as it was. */
function takeBack(session: Session, grant: LoggedGrant, holder: string): void {
  const stored = find(session, grant.id);
  if (stored === undefined || stored.task.attempt !== grant.attempt || stored.task.holder !== holder) return;
  update(session, stored, unbegin(stored.task, session.nowMs));
  const { server } = stored.task;
  if (grant.kind === "run" && server !== undefined) releaseHold(session, server, grant.id, grant.attempt);
}

function releaseOrphan(session: Session, server: string, id: string, attempt: number): void {
  if (!isLookedAfter(session, server, id)) releaseHold(session, server, id, attempt);
}

function sameGrants(session: Session, grants: readonly LoggedGrant[], holder: string): WireGrant[] {
  return grants.flatMap(({ id, attempt, kind }) => {
    const row = rowOf(session, id);
    if (row === undefined || row[6] !== attempt || row[7] !== holder) return [];
    return [toGrant(session, kind, row, payloadOf(session, row))];
  });
}

function recoverSome(
  session: Session,
  request: WireExchangeParts,
  holder: string,
  logged: LoggedGrant[],
): WireGrant[] {
  if (request.recover <= 0) return [];
  return session.db
    .sql(TO_RECOVER)
    .all([request.recover])
    .flatMap((row) => {
      const stored = toStored(row);
      const changed = recover(stored.task, { holder, leaseMs: request.leaseMs }, session.nowMs);
      update(session, stored, changed);
      logged.push({ id: changed.id, attempt: changed.attempt, kind: "recover" });
      const after = rowOf(session, changed.id);
      return after === undefined ? [] : [toGrant(session, "recover", after, payloadOf(session, after))];
    });
}

/** Holds on these servers whose task has no holder any more. Few servers are held at a time, so all are read. */
function orphanHolds(session: Session, servers: readonly string[]): WireHold[] {
  const { db } = session;
  if (servers.length === 0) return [];
  const holds = new Map(
    db
      .sql(HOLDS)
      .all([])
      .map((row) => [row[0] as string, row as WireHold]),
  );
  if (holds.size === 0) return [];
  return servers.flatMap((server) => {
    const hold = holds.get(server);
    if (hold === undefined) return [];
    return isLookedAfter(session, server, hold[1]) ? [] : [hold];
  });
}

/** Whether the task that took the server is still at work on it, or is to be recovered there. */
function isLookedAfter({ db }: Session, server: string, id: string): boolean {
  const row = db.sql("SELECT state, server FROM tasks WHERE id = ?").get([id]);
  return (row?.[0] === 1 || row?.[0] === 2) && row[1] === server;
}
