import type { Statement } from "./pool.ts";
import { GRANTED, GRANTED_LIVE, inSlots, LIVE, listOf, noteGranted, setGranted } from "./statement-parts.ts";

/** The statements of the task store that the ledger has not. */
export interface ClaimStatements {
  readonly advance: Statement;
  readonly saveRunner: Statement;
  readonly openSequence: Statement;
  readonly claim: Statement;
  readonly lockWaiting: Statement;
  readonly due: Statement;
}

export function claimTexts(schema: string): Record<keyof ClaimStatements, string> {
  const now = `${schema}.now_ms()`;
  const isWaiting = `SELECT FROM ${schema}.live WHERE live.id = given.id AND live.state + 0 = 0 OFFSET 0`;
  const wait = `CASE WHEN ready = 0 THEN greatest(0, not_before - ${now}) ELSE 0 END`;
  return {
    // Fails, and with it all that was sent along, unless this is the next sequence of a runner that has nothing to be
    // taken back, and there is nothing to recover: then the longer way must be taken. The text is what the server logs.
    advance: `
WITH saved AS (
  UPDATE ${schema}.runners SET sequence = $3::double precision, grants = '[]', seen_at = ${now}
  WHERE runner = $1 AND incarnation = $2 AND sequence < $3::double precision
    AND (sequence <= $4::double precision OR grants = '[]')
  RETURNING runner
), seen AS (SELECT count(*) AS count FROM saved)
SELECT CASE WHEN count = 1 AND NOT ($5::boolean AND EXISTS (
    SELECT FROM ${schema}.live WHERE state IN (1, 2) AND holder IS NULL)) THEN ${now}
  ELSE ('modelgate: harmless, the sequence is opened step by step' || left(count::text, 0))::double precision END FROM seen`,
    saveRunner: `
INSERT INTO ${schema}.runners AS runners (runner, incarnation, sequence, grants, retired, seen_at)
VALUES ($1, $2, $3::double precision, $4, $5, ${now})
ON CONFLICT (runner) DO UPDATE SET incarnation = excluded.incarnation, sequence = excluded.sequence,
  grants = excluded.grants, retired = excluded.retired, seen_at = excluded.seen_at`,
    openSequence: `
SELECT ${now}, runners.incarnation, runners.sequence
FROM (SELECT 1) AS one LEFT JOIN ${schema}.runners ON runner = $1`,
    // Decides as if the claims came one after another, as long as each goes to the first of its servers or nowhere;
    // grants nothing when one of them must look at another. Tells of those that it did not grant how long they wait,
    // whether they had room, and whether they wait but are locked. What it tells nothing of was changed meanwhile.
    claim: `
WITH given AS MATERIALIZED (
  SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::double precision[], $5::boolean[]) WITH ORDINALITY
    AS given (id, server, instance, slots, others, n)
  WHERE EXISTS (
    SELECT FROM ${schema}.runners WHERE runner = $6 AND incarnation = $7 AND sequence = $8::double precision OFFSET 0)
), locked AS MATERIALIZED (
  SELECT given.*, row.* FROM given LEFT JOIN LATERAL (
    SELECT ctid AS place, background, ${wait} AS wait FROM ${schema}.live
    WHERE id = given.id AND state + 0 = 0 FOR UPDATE SKIP LOCKED) AS row ON true
), used AS MATERIALIZED (
  SELECT server, count(*) AS count FROM ${schema}.live WHERE ${inSlots("$9")} GROUP BY server
), placed AS MATERIALIZED (
  SELECT line.*, wait = 0 AND CASE background
    WHEN 1 THEN turn = 1 AND NOT EXISTS (SELECT FROM ${schema}.holds WHERE holds.server = line.server OFFSET 0)
    ELSE coalesce(used.count, 0) + turn - 1 < slots END AS fits
  FROM (SELECT *, row_number() OVER (PARTITION BY server, background, wait = 0 ORDER BY n) AS turn FROM locked) AS line
  LEFT JOIN used USING (server)
), decided AS MATERIALIZED (
  SELECT place, server, instance, n FROM placed
  WHERE fits AND NOT EXISTS (SELECT FROM placed WHERE wait = 0 AND others AND NOT fits OFFSET 0)
), granted AS (
  UPDATE ${schema}.live SET ${setGranted(now, "decided", "$10", "$11")}
  FROM decided WHERE live.ctid = decided.place AND live.state = 0
  RETURNING ${GRANTED_LIVE}, decided.n
), ${noteGranted(schema)}, saved AS (
  UPDATE ${schema}.runners SET seen_at = ${now}, grants = (grants::jsonb
    || (SELECT jsonb_agg(jsonb_build_array(id, attempt, 0, $12::text) ORDER BY n) FROM granted))::text
  WHERE runner = $6 AND EXISTS (SELECT FROM granted OFFSET 0)
)
SELECT n::integer, NULL::double precision, NULL::boolean, NULL::boolean, ${listOf(GRANTED, "granted")},
  (SELECT bytes FROM ${schema}.payloads WHERE payloads.seq = granted.seq) FROM granted
UNION ALL
SELECT n::integer, wait, fits, CASE WHEN place IS NULL THEN EXISTS (${isWaiting}) END,
  ${GRANTED.split(",")
    .map(() => "NULL")
    .join(", ")}, NULL
FROM placed AS given WHERE fits IS NOT TRUE OR NOT EXISTS (SELECT FROM decided OFFSET 0)`,
    // By id, as everybody who locks several. What is locked is as it is told, whatever was seen before.
    lockWaiting: `
SELECT given.id, task.background, task.wait
FROM (SELECT DISTINCT id COLLATE "C" AS id FROM unnest($1::text[]) AS given (id) ORDER BY 1) AS given
CROSS JOIN LATERAL (
  SELECT background, ${wait} AS wait FROM ${schema}.live WHERE id = given.id AND state + 0 = 0 FOR UPDATE) AS task`,
    due: `
SELECT task.* FROM unnest($1::text[], $2::smallint[], $3::integer[]) AS lane (model, background, take)
CROSS JOIN LATERAL (
  SELECT ${LIVE} FROM ${schema}.live WHERE model = lane.model AND background = lane.background AND ready = 1
    AND (rank, id) > ($4::double precision, $5::text) ORDER BY rank, id LIMIT lane.take) AS task`,
  };
}
