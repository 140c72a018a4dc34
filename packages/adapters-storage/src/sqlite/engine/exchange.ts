import type { ServerWant } from "@modelgate/core";
import {
  expire,
  holderOf,
  type LoggedGrant,
  planGrants,
  recover,
  type ServerRoom,
  unbegin,
  type WaitingTask,
} from "@modelgate/core/adapter";
import type { SqlRow, SqlValue } from "../../rows/task-row.ts";
import { TASK_COLUMNS } from "../../rows/task-row.ts";
import type { WireExchange, WireExchanged, WireGrant, WireHold } from "../wire.ts";
import { openLaneCursor } from "./lane-cursor.ts";
import { openGroups } from "./model-lists.ts";
import { promote } from "./promote.ts";
import { openSequence, saveSequence } from "./runner-table.ts";
import type { Session } from "./session.ts";
import { renewAll, settleAll } from "./settle.ts";
import { find, releaseHold, rowOf, toStored, update } from "./task-table.ts";

const PAYLOAD = "SELECT bytes FROM payloads WHERE seq = ?";
// Written and read in one go; each column that need not come back saves time in the store's busiest statement.
const GRANT = `
UPDATE tasks SET state = 1, ready = NULL, attempt = attempt + 1, holder = ?, lease_at = ?, server = ?, instance = ?,
  sent_at = NULL, run_id = NULL, recovering = 0, not_before = NULL, started_at = coalesce(started_at, ?)
WHERE id = ? AND state = 0
RETURNING seq, model, background, rank, attempt, started_at, cancel_at, priority, failures, lost, error, created_at,
  deadline_at, operation, owner, payload_bytes, identity, (SELECT bytes FROM payloads WHERE payloads.seq = tasks.seq)`;
const TO_RECOVER = `
SELECT ${TASK_COLUMNS} FROM tasks WHERE holder IS NULL AND state IN (1, 2) ORDER BY orphaned LIMIT ?`;
const IN_SLOTS = "state = 1 AND holder IS NOT NULL AND recovering = 0 AND background = 0";
const USED = `SELECT count(*) FROM tasks WHERE ${IN_SLOTS} AND server = ?`;
const ALL_USED = `SELECT server, count(*) FROM tasks WHERE ${IN_SLOTS} GROUP BY server`;
const HELD_BY = `SELECT ${TASK_COLUMNS} FROM tasks WHERE holder IS NOT NULL AND holder = ? ORDER BY lease_at, seq`;
const HOLDS = "SELECT server, id, attempt, instance FROM holds";

/** What `GRANT` gives back. */
type GrantedRow = readonly [
  ...[
    seq: number,
    model: string,
    background: 0 | 1,
    rank: number,
    attempt: number,
    started: number,
    cancel: number | null,
  ],
  ...[
    priority: number,
    failures: number,
    lost: number,
    error: string | null,
    created: number,
    deadline: number,
  ],
  ...[operation: string, owner: string, payloadBytes: number, identity: string, bytes: Uint8Array | null],
];

/** With more servers than this it is cheaper to read all that are in use than to seek each. */
const MANY_SERVERS = 32;

/** Settles, renews, releases, recovers and grants. Does what the ledger in memory does, in the same order. */
export function exchange(session: Session, request: WireExchange): WireExchanged {
  const begun = openSequence(session, request);
  const holder = holderOf(request);
  if (begun.replaced !== undefined) takeBackAll(session, begun.replaced);
  for (const grant of begun.unacknowledged) takeBack(session, grant, holder);
  const settled = settleAll(session, request.settle);
  const renewed = renewAll(session, request.renew, request.leaseMs);
  for (const [server, id, attempt] of request.release) releaseOrphan(session, server, id, attempt);
  const orphans = orphanHolds(
    session,
    request.want.map(([server]) => server),
  );
  const logged: LoggedGrant[] = [];
  const grants = begun.repeated
    ? sameGrants(session, begun.grants, holder)
    : recoverSome(session, request, holder, logged);
  const due = promote(session);
  if (!begun.repeated) {
    if (request.want.length > 0) grants.push(...grantNew(session, request, holder, logged));
    saveSequence(session, request, logged, begun.retired);
  }
  return { nowMs: session.nowMs, settled, renewed, grants, orphans, due };
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
  request: WireExchange,
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

function grantNew(
  session: Session,
  request: WireExchange,
  holder: string,
  logged: LoggedGrant[],
): WireGrant[] {
  const { db, nowMs } = session;
  const grouped = session.modelLists.group(request.want);
  const room = new Room(session, grouped.wants);
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
    const cursor = openLaneCursor(db, group, background, background === 1 ? 4 : Math.min(free + 1, 256));
    return background === 0 ? cursor : { next: () => noted(cursor.next(), backgroundIds) };
  });
  return planGrants(rooms, open).flatMap(({ id, want }): WireGrant[] => {
    const values = [holder, nowMs + request.leaseMs, want.server, want.instance ?? null, nowMs, id];
    if (!room.hasFor(want, backgroundIds.has(id))) return [];
    const row = db.sql(GRANT).get(values);
    if (row === undefined) return [];
    const [seq, model, background, rank, attempt, started, cancel, priority, failures, lost, error, ...rest] =
      row as unknown as GrantedRow;
    const [created, deadline, operation, owner, payloadBytes, identity, bytes] = rest;
    room.take(want, background === 1, id, attempt);
    session.lanes.change(model, background, -1, payloadBytes);
    logged.push({ id, attempt, kind: "run" });
    const task: SqlValue[] = [
      seq,
      id,
      model,
      background,
      rank,
      1,
      attempt,
      holder,
      nowMs + request.leaseMs,
      want.server,
      want.instance ?? null,
    ];
    task.push(null, null, 0, null, started, null, cancel, null, priority, failures, lost, error, null);
    task.push(created, deadline, operation, owner, payloadBytes, identity, null);
    return [toGrant(session, "run", task, bytes)];
  });
}

function noted(task: WaitingTask | undefined, ids: Set<string>): WaitingTask | undefined {
  if (task !== undefined) ids.add(task.id);
  return task;
}

/** What is taken of each server, as it changes while grants are made; two wants may name one server. */
class Room {
  readonly #session: Session;
  readonly #used: Map<string, number> | undefined;
  readonly #seen = new Map<string, number>();
  readonly #held = new Map<string, boolean>();

  constructor(session: Session, wants: readonly ServerWant[]) {
    this.#session = session;
    if (wants.length > MANY_SERVERS)
      this.#used = new Map(session.db.sql(ALL_USED).all([]) as unknown as [string, number][]);
  }

  used(server: string): number {
    let used = this.#seen.get(server);
    if (used === undefined) {
      used =
        this.#used?.get(server) ??
        (this.#used === undefined ? (this.#session.db.sql(USED).get([server])?.[0] as number) : 0);
      this.#seen.set(server, used);
    }
    return used;
  }

  isHeld(server: string): boolean {
    let held = this.#held.get(server);
    if (held === undefined) {
      held = this.#session.db.sql("SELECT 1 FROM holds WHERE server = ?").get([server]) !== undefined;
      this.#held.set(server, held);
    }
    return held;
  }

  hasFor(want: ServerWant, background: boolean): boolean {
    return background ? !this.isHeld(want.server) : this.used(want.server) < want.limit;
  }

  take(want: ServerWant, background: boolean, id: string, attempt: number): void {
    if (!background) {
      this.#seen.set(want.server, this.used(want.server) + 1);
      return;
    }
    this.#held.set(want.server, true);
    const values = [want.server, id, attempt, want.instance ?? null];
    this.#session.db.sql("INSERT INTO holds (server, id, attempt, instance) VALUES (?, ?, ?, ?)").run(values);
  }
}

/** Holds on these servers whose task has no holder any more. Few servers are held at a time, so all are read. */
function orphanHolds(session: Session, servers: readonly string[]): WireExchanged["orphans"] {
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

function payloadOf({ db }: Session, row: SqlRow): Uint8Array | null {
  return (db.sql(PAYLOAD).get([row[0] as number])?.[0] as Uint8Array | undefined) ?? null;
}

function toGrant(
  { bytesOut }: Session,
  kind: WireGrant["kind"],
  row: SqlRow,
  payload: Uint8Array | null,
): WireGrant {
  return payload === null ? { kind, row } : { kind, row, body: bytesOut.add(payload) };
}
