// What a worker reaches that does nothing but group commits on the store's own tables: the yardstick of cycles.mjs.
// Each transaction accepts a batch, grants the one before and settles the one before that, so that a cycle costs the
// three writes that it must cost.
import { parentPort, workerData } from "node:worker_threads";

const { directory, folder, runMs, inFlight } = workerData;
const { openDatabase } = await import(new URL("schema.js", `file://${folder}`).href);
const db = openDatabase({ directory, busyTimeoutMs: 1000 });
const insert =
  db.sql(`INSERT INTO tasks (id, model, operation, owner, background, priority, rank, created_at, deadline_at, payload_bytes,
  identity, ready, state, attempt, recovering, failures, lost, forgotten) VALUES (?, 'm', 'process', 'anna', 0, 5, ?, ?, ?, 200, ?, 1, 0, 0, 0, 0, 0, 0)`);
const insertPayload = db.sql("INSERT INTO payloads (seq, bytes) VALUES (last_insert_rowid(), ?)");
const next = db.sql(
  "SELECT id FROM tasks WHERE model = 'm' AND background = 0 AND ready = 1 ORDER BY rank, id LIMIT ?",
);
const grant =
  db.sql(`UPDATE tasks SET state = 1, ready = NULL, attempt = attempt + 1, holder = 'a/1', lease_at = ?, server = 's',
  started_at = ? WHERE id = ? AND state = 0 RETURNING seq, id, attempt, identity, (SELECT bytes FROM payloads WHERE payloads.seq = tasks.seq)`);
const settle =
  db.sql(`UPDATE tasks SET state = 3, holder = NULL, lease_at = NULL, finished_at = ?, ended_by = 1, result = ?
  WHERE id = ? AND attempt = ? AND holder IS NOT NULL RETURNING seq`);
const keep = db.sql("INSERT INTO results (seq, bytes) VALUES (?, ?)");
const identity = JSON.stringify({
  query: "",
  repeatable: true,
  maxFailures: 5,
  payload: { contentType: "application/json" },
});
const resultRef = JSON.stringify({ sizeBytes: 200, status: 200, contentType: "application/json" });
const payload = new Uint8Array(200).fill(97);
const result = new Uint8Array(200).fill(98);

let cycles = 0;
let lastId = 0;
let granted = [];
const begin = performance.now();
const batch = Math.ceil(inFlight / 3);
while (performance.now() - begin < runMs) {
  const now = Date.now();
  db.exec("BEGIN IMMEDIATE");
  for (const [, id, attempt] of granted) {
    const [seq] = settle.get([now, resultRef, id, attempt]);
    keep.run([seq, result]);
    cycles += 1;
  }
  granted = next.all([batch]).map(([id]) => grant.get([now + 10_000, now, id]));
  for (let task = 0; task < batch; task += 1) {
    lastId += 1;
    insert.run([`${lastId.toString(36)}-7f3a2b1c-4d5e-6f70`, now - 18e6, now, now + 864e5, identity]);
    insertPayload.run([payload]);
  }
  db.exec("COMMIT");
}
parentPort.postMessage((cycles / (performance.now() - begin)) * 1000);
db.close();
