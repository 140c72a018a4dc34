import type { SqlRow, SqlValue } from "../../rows/task-row.ts";
import type { WireGrant } from "../wire.ts";
import type { SlotTarget } from "./room.ts";
import type { Session } from "./session.ts";

const PAYLOAD = "SELECT bytes FROM payloads WHERE seq = ?";
// Written and read in one go; each column that need not come back saves time in the store's busiest statement.
const GRANT = `
UPDATE tasks SET state = 1, ready = NULL, attempt = attempt + 1, holder = ?, lease_at = ?, server = ?, instance = ?,
  sent_at = NULL, run_id = NULL, recovering = 0, not_before = NULL, started_at = coalesce(started_at, ?)
WHERE id = ? AND state = 0
RETURNING seq, model, background, rank, attempt, started_at, cancel_at, priority, failures, lost, error, created_at,
  deadline_at, operation, owner, payload_bytes, identity, (SELECT bytes FROM payloads WHERE payloads.seq = tasks.seq)`;

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

/** A grant that was just made. */
export interface Granted {
  readonly background: boolean;
  readonly attempt: number;
  readonly wire: WireGrant;
}

/** Compare-and-set from pending to scheduled. The caller saw to it that the server has room. */
export function grantTask(
  session: Session,
  id: string,
  target: SlotTarget,
  holder: string,
  leaseMs: number,
): Granted | undefined {
  const { db, nowMs } = session;
  const instance = target.instance ?? null;
  const leaseAtMs = nowMs + leaseMs;
  const row = db.sql(GRANT).get([holder, leaseAtMs, target.server, instance, nowMs, id]);
  if (row === undefined) return undefined;
  const [seq, model, background, rank, attempt, started, cancel, priority, failures, lost, error, ...rest] =
    row as unknown as GrantedRow;
  const [created, deadline, operation, owner, payloadBytes, identity, bytes] = rest;
  session.lanes.change(model, background, -1, payloadBytes);
  const task: SqlValue[] = [seq, id, model, background, rank, 1, attempt, holder, leaseAtMs];
  task.push(target.server, instance, null, null, 0, null, started, null, cancel, null, priority);
  task.push(failures, lost, error, null, created, deadline, operation, owner, payloadBytes, identity, null);
  return { background: background === 1, attempt, wire: toGrant(session, "run", task, bytes) };
}

export function payloadOf({ db }: Session, row: SqlRow): Uint8Array | null {
  return (db.sql(PAYLOAD).get([row[0] as number])?.[0] as Uint8Array | undefined) ?? null;
}

export function toGrant(
  { bytesOut }: Session,
  kind: WireGrant["kind"],
  row: SqlRow,
  payload: Uint8Array | null,
): WireGrant {
  return payload === null ? { kind, row } : { kind, row, body: bytesOut.add(payload) };
}
