import { TASK_COLUMNS } from "../rows/task-row.ts";
import { type ClaimStatements, claimTexts } from "./claim-statements.ts";
import { type Statement, statement } from "./pool.ts";
import {
  ADD_TO_LANES,
  GRANTED,
  GRANTED_LIVE,
  inSlots,
  LIVE,
  listOf,
  noteGranted,
  setGranted,
} from "./statement-parts.ts";

/** What both tables have and an ending leaves as it was. */
const KEPT = `seq, id, model, background, created_at, deadline_at, operation, owner, payload_bytes, identity, forgotten`;

/** What an ending writes, in the words of `toChange`. */
const ENDING = `rank, state, attempt, server, instance, sent_at, run_id, not_before, started_at, finished_at, cancel_at, ended_by,
  priority, failures, lost, error, result`;

const CHANGE = `id text, state smallint, ready smallint, rank double precision, attempt integer, holder text,
  lease_at double precision, server text, instance text, sent_at double precision, run_id text, recovering smallint,
  not_before double precision, started_at double precision, finished_at double precision, cancel_at double precision,
  ended_by smallint, priority smallint, failures integer, lost integer, error text, result text, orphaned double precision`;

const SET = `state, ready, rank, attempt, holder, lease_at, server, instance, sent_at, run_id, recovering, not_before, started_at,
  cancel_at, priority, failures, lost, error, orphaned`;

/** Every statement of ledger and task store for one schema. */
export interface Statements extends ClaimStatements {
  readonly now: Statement;
  readonly submit: Statement;
  readonly requireNew: Statement;
  readonly known: Statement;
  readonly lockRunner: Statement;
  readonly lockServers: Statement;
  readonly begin: Statement;
  readonly succeed: Statement;
  readonly renew: Statement;
  readonly release: Statement;
  readonly promote: Statement;
  readonly used: Statement;
  readonly holds: Statement;
  readonly fewLanes: Statement;
  readonly manyLanes: Statement;
  readonly grant: Statement;
  readonly lockTasks: Statement;
  readonly update: Statement;
  readonly end: Statement;
  readonly keepResults: Statement;
  readonly changeLanes: Statement;
  readonly dropHolds: Statement;
  readonly heldBy: Statement;
  readonly toRecover: Statement;
  readonly payloads: Statement;
  readonly results: Statement;
  readonly expired: Statement;
  readonly overdue: Statement;
  readonly unserved: Statement;
  readonly unservedDelayed: Statement;
  readonly foldLanes: Statement;
  readonly forgetRunners: Statement;
  readonly findKeys: Statement;
  readonly takeKeys: Statement;
  readonly dropKeys: Statement;
  readonly letGo: Statement;
  readonly expiredKeys: Statement;
  readonly oldest: Statement;
  readonly forgetPayloads: Statement;
  readonly forgetResults: Statement;
  readonly forgetRows: Statement;
  readonly stats: Statement;
  readonly deadRows: Statement;
  readonly laneRows: Statement;
}

export function statementsOf(schema: string): Statements {
  const now = `${schema}.now_ms()`;
  // Where the row of each given id lies. The planner may believe a table to be empty that was so when it looked last; a
  // subquery that it cannot merge keeps it from reading all of the table in place of a row for each id.
  const place = (table: "live" | "ended", condition = ""): string =>
    `CROSS JOIN LATERAL (
    SELECT ctid AS place FROM ${schema}.${table} WHERE id = given.id ${condition} OFFSET 0) AS row`;
  const inLane = `FROM ${schema}.live
      WHERE model = lane.model AND background = lane.background AND ready = 1 ORDER BY rank, id`;
  const texts: Record<keyof Statements, string> = {
    ...claimTexts(schema),
    now: `SELECT ${now}`,
    submit: `
WITH given AS MATERIALIZED (
  SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::smallint[], $6::smallint[],
    $7::double precision[], $8::double precision[], $9::double precision[], $10::text[], $11::bytea[], $12::smallint[])
    AS given (id, model, operation, owner, background, priority, ahead, wait, payload_bytes, identity, bytes, forgotten)
), fresh AS (
  INSERT INTO ${schema}.live (id, model, operation, owner, background, priority, rank, created_at, deadline_at,
    payload_bytes, identity, ready, state, attempt, recovering, failures, lost, forgotten)
  SELECT id, model, operation, owner, background, priority, ${now} - ahead, ${now}, ${now} + wait, payload_bytes, identity,
    1, 0, 0, 0, 0, 0, forgotten FROM given
  ON CONFLICT (id) DO NOTHING RETURNING seq, id, model, background, payload_bytes
), stored AS (
  INSERT INTO ${schema}.payloads (seq, bytes)
  SELECT fresh.seq, given.bytes FROM given JOIN fresh USING (id) WHERE given.bytes IS NOT NULL
), counted AS (
  INSERT INTO ${schema}.lanes AS lanes (model, background, shard, waiting, waiting_bytes)
  SELECT model, background, pg_backend_pid() & 31, count(*), sum(payload_bytes) FROM fresh
  GROUP BY model, background ORDER BY model, background ${ADD_TO_LANES}
)
SELECT id, ${now} FROM fresh`,
    requireNew: `SELECT ${schema}.require_new($1::text[])`,
    known: `
SELECT task.* FROM unnest($1::text[]) AS given (id)
CROSS JOIN LATERAL (SELECT ${TASK_COLUMNS} FROM ${schema}.tasks WHERE id = given.id OFFSET 0) AS task`,
    lockRunner: "SELECT pg_advisory_xact_lock($1::integer, $2::integer)",
    // Sorted by the caller, so that two who want several never wait for each other.
    lockServers: "SELECT pg_advisory_xact_lock($1::integer, bucket) FROM unnest($2::integer[]) AS bucket",
    begin: `
SELECT ${now}, (SELECT not_before FROM ${schema}.live WHERE ready = 0 ORDER BY not_before LIMIT 1) - ${now},
  EXISTS (SELECT FROM ${schema}.live WHERE state IN (1, 2) AND holder IS NULL),
  runners.incarnation, runners.sequence, runners.grants, runners.retired
FROM (SELECT 1) AS one LEFT JOIN ${schema}.runners ON runner = $1`,
    succeed: `
WITH given AS MATERIALIZED (
  SELECT * FROM unnest($1::text[], $2::integer[], $3::text[], $4::bytea[], $5::boolean[])
    AS given (id, attempt, result, bytes, release)
), found AS MATERIALIZED (
  SELECT given.*, place FROM given ${place("live", "AND attempt = given.attempt AND holder IS NOT NULL")}
), gone AS (
  DELETE FROM ${schema}.live USING found WHERE live.ctid = found.place
  RETURNING ${listOf(KEPT, "live")}, live.rank, live.attempt, live.server, live.instance, live.sent_at, live.run_id,
    live.not_before, live.started_at, live.cancel_at, live.priority, live.failures, live.lost, found.result, found.bytes,
    found.release
), kept AS (
  INSERT INTO ${schema}.ended (${KEPT}, ${ENDING})
  SELECT ${KEPT}, rank, 3, attempt, server, instance, sent_at, run_id, not_before, started_at, ${now}, cancel_at, 1,
    priority, failures, lost, NULL, result FROM gone
), stored AS (
  INSERT INTO ${schema}.results (seq, bytes) SELECT seq, bytes FROM gone WHERE bytes IS NOT NULL
), released AS (
  DELETE FROM ${schema}.holds USING gone
  WHERE gone.background = 1 AND gone.release AND holds.server = gone.server AND holds.id = gone.id
)
SELECT id FROM gone`,
    renew: `
WITH found AS MATERIALIZED (
  SELECT sent, place FROM unnest($1::text[], $2::integer[], $3::boolean[]) AS given (id, attempt, sent)
  ${place("live", "AND attempt = given.attempt AND holder IS NOT NULL")}
)
UPDATE ${schema}.live SET lease_at = ${now} + $4::double precision,
  sent_at = coalesce(live.sent_at, CASE WHEN found.sent THEN ${now} END)
FROM found WHERE live.ctid = found.place
RETURNING live.id, live.attempt, live.cancel_at`,
    release: `
DELETE FROM ${schema}.holds USING unnest($1::text[], $2::text[], $3::integer[]) AS given (server, id, attempt)
WHERE holds.server = given.server AND holds.id = given.id AND holds.attempt = given.attempt AND NOT EXISTS (
  SELECT FROM ${schema}.live WHERE live.id = holds.id AND live.state IN (1, 2) AND live.server = holds.server OFFSET 0)`,
    promote: `
WITH due AS MATERIALIZED (
  SELECT ctid AS place FROM ${schema}.live WHERE ready = 0 AND not_before <= ${now}
  ORDER BY not_before LIMIT $1::integer FOR UPDATE SKIP LOCKED
)
UPDATE ${schema}.live SET ready = 1 FROM due WHERE live.ctid = due.place`,
    used: `
SELECT server, count(*)::integer FROM ${schema}.live
WHERE ${inSlots("$1")} GROUP BY server`,
    holds: `
SELECT server, id, attempt, instance, NOT EXISTS (
  SELECT FROM ${schema}.live WHERE live.id = holds.id AND live.state IN (1, 2) AND live.server = holds.server OFFSET 0)
FROM ${schema}.holds WHERE server = ANY ($1::text[])`,
    fewLanes: `
SELECT task.id, task.rank, lane.model, lane.background
FROM unnest($1::text[], $2::smallint[], $3::integer[]) AS lane (model, background, take)
CROSS JOIN LATERAL (SELECT id, rank ${inLane} LIMIT lane.take) AS task`,
    // The lowest tasks of many lanes are in those with the lowest heads, so that only these are read on.
    manyLanes: `
WITH head AS (
  SELECT lane.*, row_number() OVER (PARTITION BY lane.part ORDER BY first.rank, first.id) AS place
  FROM unnest($1::text[], $2::smallint[], $3::integer[], $4::integer[]) AS lane (model, background, take, part)
  CROSS JOIN LATERAL (SELECT id, rank ${inLane} LIMIT 1) AS first
), found AS (
  SELECT task.id, task.rank, lane.model, lane.background, lane.take,
    row_number() OVER (PARTITION BY lane.part ORDER BY task.rank, task.id) AS place
  FROM head AS lane CROSS JOIN LATERAL (SELECT id, rank ${inLane} LIMIT lane.take) AS task
  WHERE lane.place <= lane.take
)
SELECT id, rank, model, background FROM found WHERE place <= take`,
    // Whoever else grants the same tasks right now keeps them; a row that is locked is known by where it lies.
    grant: `
WITH given AS MATERIALIZED (
  SELECT * FROM unnest($1::text[], $2::text[], $3::text[]) WITH ORDINALITY AS given (id, server, instance, n)
), locked AS MATERIALIZED (
  SELECT row.place, given.server, given.instance, given.n FROM given CROSS JOIN LATERAL (
    SELECT ctid AS place FROM ${schema}.live WHERE id = given.id AND ready + 0 = 1 FOR UPDATE SKIP LOCKED) AS row
), granted AS (
  UPDATE ${schema}.live SET ${setGranted(now, "locked", "$4", "$5")}
  FROM locked WHERE live.ctid = locked.place
  RETURNING ${GRANTED_LIVE}, locked.n
), ${noteGranted(schema)}, saved AS (
  INSERT INTO ${schema}.runners AS runners (runner, incarnation, sequence, grants, retired, seen_at)
  SELECT $6, $7, $8::double precision,
    ($9::jsonb || coalesce((SELECT jsonb_agg(jsonb_build_array(id, attempt, 0) ORDER BY n) FROM granted), '[]'))::text, $10, ${now}
  ON CONFLICT (runner) DO UPDATE SET incarnation = excluded.incarnation, sequence = excluded.sequence,
    grants = excluded.grants, retired = excluded.retired, seen_at = excluded.seen_at
)
SELECT ${listOf(GRANTED, "granted")}, (SELECT bytes FROM ${schema}.payloads WHERE payloads.seq = granted.seq)
FROM granted`,
    // By id, as everybody who locks several.
    lockTasks: `
SELECT task.* FROM (SELECT DISTINCT id COLLATE "C" AS id FROM unnest($1::text[]) AS given (id) ORDER BY 1) AS given
CROSS JOIN LATERAL (SELECT ${LIVE} FROM ${schema}.live WHERE id = given.id FOR UPDATE) AS task`,
    update: `
WITH change AS MATERIALIZED (
  SELECT given.*, place FROM json_to_recordset($1::json) AS given (${CHANGE}) ${place("live")}
)
UPDATE ${schema}.live SET (${SET}) = (${listOf(SET, "change")}) FROM change WHERE live.ctid = change.place`,
    end: `
WITH change AS MATERIALIZED (
  SELECT given.*, place FROM json_to_recordset($1::json) AS given (${CHANGE}) ${place("live")}
), gone AS (
  DELETE FROM ${schema}.live USING change WHERE live.ctid = change.place
  RETURNING ${listOf(KEPT, "live")}, ${listOf(ENDING, "change")}
)
INSERT INTO ${schema}.ended (${KEPT}, ${ENDING}) SELECT * FROM gone`,
    keepResults: `
INSERT INTO ${schema}.results (seq, bytes) SELECT * FROM unnest($1::bigint[], $2::bytea[])
ON CONFLICT (seq) DO UPDATE SET bytes = excluded.bytes`,
    changeLanes: `
INSERT INTO ${schema}.lanes AS lanes (model, background, shard, waiting, waiting_bytes)
SELECT model, background, pg_backend_pid() & 31, waiting, waiting_bytes
FROM unnest($1::text[], $2::smallint[], $3::double precision[], $4::double precision[])
  AS change (model, background, waiting, waiting_bytes)
ORDER BY model, background ${ADD_TO_LANES}`,
    dropHolds: `
DELETE FROM ${schema}.holds USING unnest($1::text[], $2::text[], $3::integer[]) AS given (server, id, attempt)
WHERE holds.server = given.server AND holds.id = given.id AND holds.attempt = coalesce(given.attempt, holds.attempt)`,
    heldBy: `
SELECT ${LIVE} FROM ${schema}.live WHERE state IN (1, 2) AND holder = $1 ORDER BY id || '' FOR UPDATE`,
    toRecover: `
SELECT ${LIVE} FROM ${schema}.live WHERE state IN (1, 2) AND holder IS NULL ORDER BY orphaned, seq LIMIT $1 FOR UPDATE SKIP LOCKED`,
    payloads: `SELECT seq, bytes FROM ${schema}.payloads WHERE seq = ANY ($1::bigint[])`,
    results: `SELECT seq, bytes FROM ${schema}.results WHERE seq = ANY ($1::bigint[])`,
    expired: `
SELECT ${LIVE} FROM ${schema}.live WHERE state IN (1, 2) AND holder IS NOT NULL AND lease_at <= ${now}
ORDER BY lease_at LIMIT $1 FOR UPDATE SKIP LOCKED`,
    overdue: `
SELECT ${LIVE} FROM ${schema}.live WHERE state = 0 AND deadline_at <= ${now}
ORDER BY deadline_at LIMIT $1 FOR UPDATE SKIP LOCKED`,
    unserved: `
SELECT task.* FROM unnest($1::text[]) AS lane (model) CROSS JOIN unnest('{0,1}'::smallint[]) AS kind (background)
CROSS JOIN LATERAL (
  SELECT ${LIVE} FROM ${schema}.live WHERE model = lane.model AND background = kind.background AND ready = 1
  ORDER BY rank, id LIMIT $2 FOR UPDATE SKIP LOCKED) AS task LIMIT $2`,
    unservedDelayed: `
SELECT ${LIVE} FROM ${schema}.live WHERE ready = 0 AND model = ANY ($1::text[]) LIMIT $2 FOR UPDATE SKIP LOCKED`,
    foldLanes: `
WITH free AS (SELECT ctid AS place, model, background FROM ${schema}.lanes FOR UPDATE SKIP LOCKED), gone AS (
  DELETE FROM ${schema}.lanes USING free WHERE lanes.ctid = free.place
  RETURNING lanes.model, lanes.background, lanes.shard, lanes.waiting, lanes.waiting_bytes
), sum AS (
  SELECT model, background, min(shard) AS shard, sum(waiting) AS waiting, sum(waiting_bytes) AS waiting_bytes
  FROM gone GROUP BY model, background
)
SELECT model, background, waiting, waiting_bytes FROM sum WHERE waiting <> 0 OR waiting_bytes <> 0`,
    forgetRunners: `DELETE FROM ${schema}.runners WHERE seen_at < ${now} - $1::double precision`,
    findKeys: `SELECT key, digest, task, expires_at > ${now} FROM ${schema}.idempotency WHERE key = ANY ($1::bytea[])`,
    takeKeys: `
INSERT INTO ${schema}.idempotency (key, digest, task, expires_at)
SELECT key, digest, task, ${now} + keep FROM unnest($1::bytea[], $2::text[], $3::text[], $4::double precision[])
  AS given (key, digest, task, keep) ORDER BY key
ON CONFLICT (key) DO NOTHING RETURNING key`,
    dropKeys: `
DELETE FROM ${schema}.idempotency WHERE key = ANY ($1::bytea[]) AND expires_at <= ${now} RETURNING task`,
    letGo: `
WITH given AS MATERIALIZED (SELECT * FROM unnest($1::text[]) AS given (id)),
  waits AS MATERIALIZED (SELECT place FROM given ${place("live", "AND forgotten >= 4")}),
  over AS MATERIALIZED (SELECT place FROM given ${place("ended", "AND forgotten >= 4")}),
  still AS (UPDATE ${schema}.live SET forgotten = forgotten - 4 FROM waits WHERE live.ctid = waits.place)
UPDATE ${schema}.ended SET forgotten = forgotten - 4 FROM over WHERE ended.ctid = over.place`,
    expiredKeys: `
DELETE FROM ${schema}.idempotency WHERE key IN (
  SELECT key FROM ${schema}.idempotency WHERE expires_at <= ${now} ORDER BY expires_at LIMIT $1 FOR UPDATE SKIP LOCKED)
RETURNING task`,
    oldest: `
SELECT task.* FROM unnest($1::smallint[]) AS kind (forgotten) CROSS JOIN LATERAL (
  SELECT id, seq, identity, result, forgotten, finished_at FROM ${schema}.ended
  WHERE forgotten = kind.forgotten AND finished_at <= ${now} - $2::double precision
  ORDER BY finished_at LIMIT $3 FOR UPDATE SKIP LOCKED) AS task
ORDER BY task.finished_at, task.seq LIMIT $3`,
    forgetPayloads: `
WITH change AS MATERIALIZED (
  SELECT given.*, place FROM unnest($1::text[], $2::bigint[], $3::text[]) AS given (id, seq, identity) ${place("ended")}
), gone AS (DELETE FROM ${schema}.payloads WHERE seq = ANY ($2::bigint[]))
UPDATE ${schema}.ended SET identity = change.identity, forgotten = forgotten + 1
FROM change WHERE ended.ctid = change.place`,
    forgetResults: `
WITH change AS MATERIALIZED (
  SELECT given.*, place FROM unnest($1::text[], $2::bigint[], $3::text[]) AS given (id, seq, result) ${place("ended")}
), gone AS (DELETE FROM ${schema}.results WHERE seq = ANY ($2::bigint[]))
UPDATE ${schema}.ended SET result = change.result, forgotten = forgotten + 2
FROM change WHERE ended.ctid = change.place`,
    forgetRows: `
WITH over AS MATERIALIZED (SELECT place FROM unnest($1::text[]) AS given (id) ${place("ended")}),
  gone AS (DELETE FROM ${schema}.ended USING over WHERE ended.ctid = over.place),
  payload AS (DELETE FROM ${schema}.payloads WHERE seq = ANY ($2::bigint[]))
DELETE FROM ${schema}.results WHERE seq = ANY ($2::bigint[])`,
    // Of what is due and not yet in its lane there is little: the next exchange or sweep brings it there.
    stats: `
SELECT model, waiting, waiting_bytes, (SELECT rank ${inLane} LIMIT 1) FROM (
  SELECT model, background, sum(waiting) AS waiting, sum(waiting_bytes) AS waiting_bytes
  FROM ${schema}.lanes GROUP BY model, background HAVING sum(waiting) > 0) AS lane
UNION ALL
SELECT model, 0, 0, min(rank) FROM ${schema}.live WHERE ready = 0 AND not_before <= ${now} GROUP BY model
UNION ALL
SELECT NULL, count(*) FILTER (WHERE state = 1)::double precision, count(*) FILTER (WHERE state = 2)::double precision, NULL
FROM ${schema}.live WHERE state IN (1, 2)`,
    deadRows: `
SELECT relname, n_dead_tup::double precision FROM pg_stat_user_tables
WHERE schemaname = $1 AND relname IN ('live', 'lanes', 'runners')`,
    laneRows: `SELECT count(*)::integer FROM ${schema}.lanes`,
  };
  return Object.fromEntries(
    Object.entries(texts).map(([name, text]) => [name, statement(text.trim())]),
  ) as unknown as Statements;
}
