import { HAS_ENDED } from "./postgres-error.ts";

const HOT =
  "fillfactor = 80, autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_threshold = 2000, autovacuum_vacuum_cost_delay = 0";

/**
 * One step for each version, forward only; a released one is never changed. Numbers are `double precision`, so that
 * what JavaScript reckoned comes back as it was; texts sort by their bytes.
 */
export const MIGRATIONS: readonly ((schema: string) => string)[] = [
  (schema) => `
-- The store's clock: milliseconds since the epoch at the beginning of the transaction.
CREATE FUNCTION ${schema}.now_ms() RETURNS double precision LANGUAGE sql STABLE PARALLEL SAFE
  AS 'SELECT floor(extract(epoch FROM now()) * 1000)::double precision';

-- Tasks that have not ended. All that changes often is here and stays small, whatever has ended before.
CREATE TABLE ${schema}.live (
  seq bigint GENERATED ALWAYS AS IDENTITY,
  id text COLLATE "C" PRIMARY KEY,
  model text COLLATE "C" NOT NULL,
  background smallint NOT NULL,
  rank double precision NOT NULL,
  -- 1 in its lane, 0 until its back-off has ended, NULL unless it is pending.
  ready smallint,
  -- 0 pending, 1 scheduled, 2 running.
  state smallint NOT NULL,
  attempt integer NOT NULL,
  holder text,
  lease_at double precision,
  server text COLLATE "C",
  instance text,
  sent_at double precision,
  run_id text,
  recovering smallint NOT NULL,
  not_before double precision,
  started_at double precision,
  cancel_at double precision,
  priority smallint NOT NULL,
  failures integer NOT NULL,
  lost integer NOT NULL,
  error text,
  created_at double precision NOT NULL,
  deadline_at double precision NOT NULL,
  operation text NOT NULL,
  owner text NOT NULL,
  payload_bytes double precision NOT NULL,
  -- What no statement asks for, as JSON text: it keeps a NUL and a lone surrogate as they came.
  identity text NOT NULL,
  -- 4 while an idempotency key stands for it.
  forgotten smallint NOT NULL,
  -- When it came to wait for its recovery.
  orphaned double precision
) WITH (${HOT});
-- The id as an expression: else a planner that takes the table for empty looks ids up by reading all of this.
CREATE INDEX live_by_age ON ${schema}.live (created_at, (id || ''));
CREATE INDEX live_ready ON ${schema}.live (model, background, rank, id) WHERE ready = 1;
CREATE INDEX live_delayed ON ${schema}.live (not_before) WHERE ready = 0;
CREATE INDEX live_by_deadline ON ${schema}.live (deadline_at) WHERE state = 0;
-- Few rows at a time. The lease is not in it, so that a renewal changes no index.
CREATE INDEX live_at_work ON ${schema}.live (server) WHERE state IN (1, 2);
CREATE INDEX live_to_recover ON ${schema}.live (orphaned, seq) WHERE state IN (1, 2) AND holder IS NULL;

-- Tasks that have ended; written once, then only by retention.
CREATE TABLE ${schema}.ended (
  seq bigint NOT NULL,
  id text COLLATE "C" PRIMARY KEY,
  model text COLLATE "C" NOT NULL,
  background smallint NOT NULL,
  rank double precision NOT NULL,
  -- 3 succeeded, 4 failed, 5 cancelled.
  state smallint NOT NULL,
  attempt integer NOT NULL,
  server text COLLATE "C",
  instance text,
  sent_at double precision,
  run_id text,
  not_before double precision,
  started_at double precision,
  finished_at double precision NOT NULL,
  cancel_at double precision,
  -- 1 by its attempt, 2 by the ledger.
  ended_by smallint NOT NULL,
  priority smallint NOT NULL,
  failures integer NOT NULL,
  lost integer NOT NULL,
  error text,
  result text,
  created_at double precision NOT NULL,
  deadline_at double precision NOT NULL,
  operation text NOT NULL,
  owner text NOT NULL,
  payload_bytes double precision NOT NULL,
  identity text NOT NULL,
  -- 1 payload, 2 result: what retention has forgotten; and 4 while an idempotency key stands for it.
  forgotten smallint NOT NULL
);
CREATE INDEX ended_by_age ON ${schema}.ended (created_at, (id || ''));
CREATE INDEX ended_by_finish ON ${schema}.ended (forgotten, finished_at);

CREATE VIEW ${schema}.tasks AS
SELECT seq, id, model, background, rank, state, attempt, holder, lease_at, server, instance, sent_at, run_id, recovering,
  not_before, started_at, NULL::double precision AS finished_at, cancel_at, NULL::smallint AS ended_by, priority,
  failures, lost, error, NULL::text AS result, created_at, deadline_at, operation, owner, payload_bytes, identity, ready, id || '' AS id_by_age
FROM ${schema}.live
UNION ALL
SELECT seq, id, model, background, rank, state, attempt, NULL, NULL, server, instance, sent_at, run_id, 0::smallint,
  not_before, started_at, finished_at, cancel_at, ended_by, priority, failures, lost, error, result, created_at,
  deadline_at, operation, owner, payload_bytes, identity, NULL, id || ''
FROM ${schema}.ended;

-- Bodies lie apart, so that the rows of the tasks stay short. They are compressed by nobody: most are small or JSON.
CREATE TABLE ${schema}.payloads (seq bigint PRIMARY KEY, bytes bytea NOT NULL);
CREATE TABLE ${schema}.results (seq bigint PRIMARY KEY, bytes bytea NOT NULL);
ALTER TABLE ${schema}.payloads ALTER COLUMN bytes SET STORAGE EXTERNAL;
ALTER TABLE ${schema}.results ALTER COLUMN bytes SET STORAGE EXTERNAL;

-- What waits in each lane. Several rows each, of which a session takes always the same, so that few wait for another.
CREATE TABLE ${schema}.lanes (
  model text COLLATE "C" NOT NULL,
  background smallint NOT NULL,
  shard smallint NOT NULL,
  waiting double precision NOT NULL,
  waiting_bytes double precision NOT NULL,
  PRIMARY KEY (model, background, shard)
) WITH (${HOT});

CREATE TABLE ${schema}.holds (
  server text COLLATE "C" PRIMARY KEY,
  id text COLLATE "C" NOT NULL,
  attempt integer NOT NULL,
  instance text
);

CREATE TABLE ${schema}.runners (
  runner text COLLATE "C" PRIMARY KEY,
  incarnation text NOT NULL,
  sequence double precision NOT NULL,
  grants text NOT NULL,
  retired text NOT NULL,
  seen_at double precision NOT NULL
) WITH (${HOT});

-- \`key\` is the digest of owner, model, operation and key: an index takes no texts of any length.
CREATE TABLE ${schema}.idempotency (
  key bytea PRIMARY KEY,
  digest text NOT NULL,
  task text COLLATE "C" NOT NULL,
  expires_at double precision NOT NULL
);
CREATE INDEX idempotency_by_expiry ON ${schema}.idempotency (expires_at);

CREATE TABLE ${schema}.records (key text COLLATE "C" PRIMARY KEY, value text NOT NULL, version text NOT NULL);

-- Ends a transaction that was about to make a task anew that has ended meanwhile.
CREATE FUNCTION ${schema}.require_new(ids text[]) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  IF EXISTS (
    SELECT FROM unnest(ids) AS given (id)
    CROSS JOIN LATERAL (SELECT FROM ${schema}.ended WHERE ended.id = given.id OFFSET 0) AS found
  ) THEN
    RAISE EXCEPTION 'has ended' USING ERRCODE = '${HAS_ENDED}';
  END IF;
END $$;
`,
];

/** The tables and views that the last migration leaves, for which rights are needed. */
export const RELATIONS: readonly string[] =
  "live ended tasks payloads results lanes holds runners idempotency records modelgate_schema".split(" ");

export const SCHEMA_VERSION: number = MIGRATIONS.length;

/** Where the version is kept; older ones than the first migration have no such table. */
export function versionTable(schema: string): string {
  return `${schema}.modelgate_schema`;
}
