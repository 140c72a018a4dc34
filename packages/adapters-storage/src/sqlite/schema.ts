/** One step for each version, forward only; a released one is never changed. */
export const MIGRATIONS: readonly string[] = [
  `
CREATE TABLE tasks (
  seq INTEGER PRIMARY KEY,
  id TEXT NOT NULL,
  model TEXT NOT NULL,
  background INTEGER NOT NULL,
  rank NUMERIC NOT NULL,
  -- 1 in its lane, 0 until its back-off has ended, NULL unless it is pending.
  ready INTEGER,
  state INTEGER NOT NULL,
  attempt INTEGER NOT NULL,
  holder TEXT,
  lease_at NUMERIC,
  server TEXT,
  instance TEXT,
  sent_at NUMERIC,
  run_id TEXT,
  recovering INTEGER NOT NULL,
  not_before NUMERIC,
  started_at NUMERIC,
  finished_at NUMERIC,
  cancel_at NUMERIC,
  ended_by INTEGER,
  priority INTEGER NOT NULL,
  failures INTEGER NOT NULL,
  lost INTEGER NOT NULL,
  error TEXT,
  result TEXT,
  created_at NUMERIC NOT NULL,
  deadline_at NUMERIC NOT NULL,
  operation TEXT NOT NULL,
  owner TEXT NOT NULL,
  payload_bytes NUMERIC NOT NULL,
  -- What no statement asks for, as JSON: it keeps a NUL and a lone surrogate as they came, which a text would not.
  identity TEXT NOT NULL,
  -- 1 payload, 2 result: what retention has forgotten.
  forgotten INTEGER NOT NULL,
  -- Order among the tasks that wait to be recovered.
  orphaned INTEGER
);
CREATE UNIQUE INDEX tasks_by_id ON tasks (id);
CREATE INDEX tasks_by_age ON tasks (created_at, id);
CREATE INDEX tasks_ready ON tasks (model, background, rank, id) WHERE ready = 1;
CREATE INDEX tasks_delayed ON tasks (not_before) WHERE ready = 0;
CREATE INDEX tasks_by_deadline ON tasks (deadline_at) WHERE state = 0;
CREATE INDEX tasks_by_lease ON tasks (lease_at) WHERE holder IS NOT NULL;
CREATE INDEX tasks_in_slots ON tasks (server) WHERE state = 1 AND holder IS NOT NULL AND recovering = 0 AND background = 0;
CREATE INDEX tasks_to_recover ON tasks (orphaned) WHERE holder IS NULL AND state IN (1, 2);
CREATE INDEX tasks_ended ON tasks (forgotten, finished_at) WHERE state >= 3;

-- Bodies lie apart, so that the pages of the tasks hold many rows each.
CREATE TABLE payloads (seq INTEGER PRIMARY KEY, bytes BLOB NOT NULL);
CREATE TABLE results (seq INTEGER PRIMARY KEY, bytes BLOB NOT NULL);

-- What waits in each lane, and the first that is ready; kept in the transaction that changes a task.
CREATE TABLE lanes (
  model TEXT NOT NULL,
  background INTEGER NOT NULL,
  waiting INTEGER NOT NULL,
  waiting_bytes NUMERIC NOT NULL,
  head_rank NUMERIC,
  head_id TEXT,
  PRIMARY KEY (model, background)
) WITHOUT ROWID;
CREATE INDEX lanes_by_head ON lanes (background, head_rank, head_id) WHERE head_id IS NOT NULL;

CREATE TABLE holds (server TEXT PRIMARY KEY, id TEXT NOT NULL, attempt INTEGER NOT NULL, instance TEXT) WITHOUT ROWID;

CREATE TABLE runners (
  runner TEXT PRIMARY KEY,
  incarnation TEXT NOT NULL,
  sequence INTEGER NOT NULL,
  grants TEXT NOT NULL,
  retired TEXT NOT NULL,
  -- The process that it runs in.
  process TEXT NOT NULL
) WITHOUT ROWID;

-- Every opening of the directory by a process that has not closed it.
CREATE TABLE processes (id TEXT PRIMARY KEY, pid INTEGER NOT NULL, started TEXT, boot TEXT, namespace TEXT) WITHOUT ROWID;

CREATE TABLE records (key TEXT PRIMARY KEY, value TEXT NOT NULL, version TEXT NOT NULL) WITHOUT ROWID;
`,
  `
CREATE TABLE idempotency (
  owner TEXT NOT NULL,
  model TEXT NOT NULL,
  operation TEXT NOT NULL,
  key TEXT NOT NULL,
  digest TEXT NOT NULL,
  task TEXT NOT NULL,
  expires_at NUMERIC NOT NULL,
  PRIMARY KEY (owner, model, operation, key)
) WITHOUT ROWID;
CREATE INDEX idempotency_by_expiry ON idempotency (expires_at);
`,
];

export const SCHEMA_VERSION: number = MIGRATIONS.length;

/** Tells our files from other SQLite databases: "mdlg". */
export const APPLICATION_ID = 0x6d646c67;
