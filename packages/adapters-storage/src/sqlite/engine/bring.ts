import type { TaskRecord } from "@modelgate/core";
import { beforeBrought, broughtHold } from "@modelgate/core/adapter";
import { identityOf } from "../../rows/task-row.ts";
import type { WireBrought } from "../wire.ts";
import { bytesAt, type Session } from "./session.ts";
import { find, keepResult, rowOf, update } from "./task-table.ts";

const INSERT = `
INSERT INTO tasks (id, model, operation, owner, background, priority, rank, created_at, deadline_at, payload_bytes, identity,
  ready, state, attempt, recovering, failures, lost, forgotten)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, NULL, 1, 0, 0, 0, 0, 0)`;
const INSERT_PAYLOAD = "INSERT INTO payloads (seq, bytes) VALUES (?, coalesce(?, x''))";
const INSERT_HOLD =
  "INSERT INTO holds (server, id, attempt, instance) VALUES (?, ?, ?, ?) ON CONFLICT (server) DO NOTHING";

/** Writes tasks that come from elsewhere; gives the ids of those that were not here before. */
export function bring(session: Session, tasks: readonly WireBrought[]): string[] {
  return tasks
    .filter(([{ id }]) => rowOf(session, id) === undefined)
    .map((wire) => {
      bringOne(session, wire);
      return wire[0].id;
    });
}

function bringOne(session: Session, [task, payload, result]: WireBrought): void {
  const { db } = session;
  const { id, model, operation, owner, background, priority, rank, createdAtMs, deadlineAtMs } = task;
  const names = [id, model, operation, owner, background ? 1 : 0, priority, rank];
  db.sql(INSERT).run([...names, createdAtMs, deadlineAtMs, task.payload.sizeBytes, identityOf(task)]);
  const stored = find(session, id);
  if (stored === undefined) throw new Error("a row that was written is not there");
  if (payload !== 0) db.sql(INSERT_PAYLOAD).run([stored.seq, bytesAt(session, payload)]);
  update(session, { ...stored, ready: null, task: beforeBrought(task) }, task);
  if (result !== 0) keepResult(session, stored.seq, bytesAt(session, result));
  if (broughtHold(task)) holdServer(session, task);
}

function holdServer({ db }: Session, { server, id, attempt, instance }: TaskRecord): void {
  db.sql(INSERT_HOLD).run([server ?? null, id, attempt, instance ?? null]);
}
