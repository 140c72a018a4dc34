import type { TaskRecord } from "@modelgate/core";
import { beforeBrought, broughtHold } from "@modelgate/core/adapter";
import { namingColumns, payloadColumns } from "./new-columns.ts";
import { statement } from "./pool.ts";
import type { Session } from "./session.ts";
import { type TaskChange, writeTasks } from "./task-rows.ts";

/** Writes tasks that come from elsewhere; resolves to the ids of those that were not here before. */
export async function bringTasks(
  session: Session,
  tasks: readonly TaskRecord[],
): Promise<ReadonlySet<string>> {
  const { tx, sql, schema } = session;
  const known = new Set(
    (await tx.query(sql.known, [tasks.map(({ id }) => id)])).map((row) => row[1] as string),
  );
  const given = new Map(tasks.filter(({ id }) => !known.has(id)).map((task) => [task.id, task]));
  if (given.size === 0) return new Set();
  const fresh = [...given.values()];
  const rows = await tx.query(
    statement(`
WITH given AS MATERIALIZED (
  SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::smallint[], $6::smallint[], $7::double precision[],
    $8::double precision[], $9::double precision[], $10::double precision[], $11::text[], $12::bytea[])
    AS given (id, model, operation, owner, background, priority, rank, created_at, deadline_at, payload_bytes, identity, bytes)
), fresh AS (
  INSERT INTO ${schema}.live (id, model, operation, owner, background, priority, rank, created_at, deadline_at,
    payload_bytes, identity, ready, state, attempt, recovering, failures, lost, forgotten)
  SELECT id, model, operation, owner, background, priority, rank, created_at, deadline_at, payload_bytes, identity,
    NULL, 1, 0, 0, 0, 0, 0 FROM given
  ON CONFLICT (id) DO NOTHING RETURNING seq, id
), stored AS (
  INSERT INTO ${schema}.payloads (seq, bytes)
  SELECT fresh.seq, given.bytes FROM given JOIN fresh USING (id) WHERE given.bytes IS NOT NULL
)
SELECT seq, id, (extract(epoch FROM now()) * 1000)::double precision FROM fresh`),
    columnsOf(fresh),
  );
  // Somebody may have brought and ended the same meanwhile.
  await tx.query(sql.requireNew, [rows.map((row) => row[1])]);
  const nowMs = rows[0]?.[2] as number;
  const changes = rows.map((row): TaskChange => {
    const after = given.get(row[1] as string) as TaskRecord;
    const before = { seq: row[0] as string, ready: null, task: beforeBrought(after) };
    return { before, after, result: after.result?.inline };
  });
  await writeTasks(session, changes, nowMs);
  const holds = changes.map(({ after }) => after).filter(broughtHold);
  if (holds.length > 0) {
    await tx.query(
      statement(`
INSERT INTO ${schema}.holds (server, id, attempt, instance)
SELECT * FROM unnest($1::text[], $2::text[], $3::integer[], $4::text[]) ON CONFLICT (server) DO NOTHING`),
      [
        holds.map(({ server }) => server),
        holds.map(({ id }) => id),
        holds.map(({ attempt }) => attempt),
        holds.map(({ instance }) => instance ?? null),
      ],
    );
  }
  return new Set(changes.map(({ after }) => after.id));
}

function columnsOf(tasks: readonly TaskRecord[]): unknown[] {
  return [
    ...namingColumns(tasks),
    tasks.map(({ rank }) => rank),
    tasks.map(({ createdAtMs }) => createdAtMs),
    tasks.map(({ deadlineAtMs }) => deadlineAtMs),
    ...payloadColumns(tasks),
  ];
}
