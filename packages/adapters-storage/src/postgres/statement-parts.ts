import { TASK_COLUMNS } from "../rows/task-row.ts";

/** The columns of a record, of a row of `live`. */
export const LIVE: string = TASK_COLUMNS.replace("finished_at", "NULL")
  .replace("ended_by", "NULL")
  .replace("result", "NULL");

/** Rows of `live` and of `ended` as rows of `tasks`, which has both. */
export const LIVE_ROW: string = TASK_COLUMNS.replace("finished_at", "NULL::double precision AS finished_at")
  .replace("ended_by", "NULL::smallint AS ended_by")
  .replace("result", "NULL::text AS result");
export const ENDED_ROW: string = TASK_COLUMNS.replace("holder", "NULL AS holder")
  .replace("lease_at", "NULL::double precision AS lease_at")
  .replace("recovering", "0::smallint AS recovering")
  .replace("ready", "NULL::smallint AS ready");

/** What is given back of each task that is granted, before the bytes of its payload. */
export const GRANTED: string = `seq, id, model, background, rank, attempt, server, instance, started_at, cancel_at, priority, failures, lost,
  error, created_at, deadline_at, operation, owner, payload_bytes, identity`;

/** The tasks that take slots of the servers that the parameter `servers` names. */
export function inSlots(servers: string): string {
  return `state IN (1, 2) AND server = ANY (${servers}::text[]) AND state = 1 AND holder IS NOT NULL AND recovering = 0 AND background = 0`;
}

export const ADD_TO_LANES: string = `ON CONFLICT (model, background, shard) DO UPDATE
      SET waiting = lanes.waiting + excluded.waiting, waiting_bytes = lanes.waiting_bytes + excluded.waiting_bytes`;

export function listOf(columns: string, alias: string): string {
  return columns
    .split(",")
    .map((column) => `${alias}.${column.trim()}`)
    .join(", ");
}

/** `GRANTED` of an update of `live` from something that has columns of the same names. */
export const GRANTED_LIVE: string = GRANTED.replace(/\b(server|instance)\b/g, "live.$1");

/** What a grant changes of a row: `holder`, and how long it keeps the task. */
export function setGranted(now: string, from: string, holder: string, leaseMs: string): string {
  return `state = 1, ready = NULL, attempt = attempt + 1, holder = ${holder}, lease_at = ${now} + ${leaseMs}::double precision,
    server = ${from}.server, instance = ${from}.instance, sent_at = NULL, run_id = NULL, recovering = 0, not_before = NULL,
    started_at = coalesce(started_at, ${now})`;
}

/** The rest of a statement that grants: what is kept of the tasks in `granted` elsewhere. */
export function noteGranted(schema: string): string {
  return `held AS (
  INSERT INTO ${schema}.holds (server, id, attempt, instance)
  SELECT server, id, attempt, instance FROM granted WHERE background = 1
), counted AS (
  INSERT INTO ${schema}.lanes AS lanes (model, background, shard, waiting, waiting_bytes)
  SELECT model, background, pg_backend_pid() & 31, -count(*), -sum(payload_bytes) FROM granted
  GROUP BY model, background ORDER BY model, background ${ADD_TO_LANES}
)`;
}
