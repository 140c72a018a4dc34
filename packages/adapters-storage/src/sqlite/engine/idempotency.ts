import { KEYED } from "../../rows/forgotten.ts";
import type { WireKey, WireTask } from "../wire.ts";
import type { Session } from "./session.ts";

const FIND = `
SELECT task, digest, expires_at FROM idempotency WHERE owner = ? AND model = ? AND operation = ? AND key = ?`;
const REMEMBER = `
INSERT OR REPLACE INTO idempotency (owner, model, operation, key, digest, task, expires_at) VALUES (?, ?, ?, ?, ?, ?, ?)`;
const EXPIRED = `
SELECT owner, model, operation, key, task FROM idempotency WHERE expires_at <= ? ORDER BY expires_at LIMIT ?`;
const FORGET = "DELETE FROM idempotency WHERE owner = ? AND model = ? AND operation = ? AND key = ?";
const LET_GO = `UPDATE tasks SET forgotten = forgotten - ${KEYED} WHERE id = ? AND forgotten >= ${KEYED}`;

/** The task that a key stands for now, and the digest of what it asked for. */
export function findKey(
  { db, nowMs }: Session,
  [, model, operation, owner]: WireTask,
  [key]: WireKey,
): { readonly task: string; readonly digest: string } | undefined {
  const row = db.sql(FIND).get([owner, model, operation, key]);
  if (row === undefined) return undefined;
  const task = row[0] as string;
  if ((row[2] as number) > nowMs) return { task, digest: row[1] as string };
  db.sql(LET_GO).run([task]);
  return undefined;
}

export function rememberKey(
  { db, nowMs }: Session,
  [id, model, operation, owner]: WireTask,
  [key, digest, keepMs]: WireKey,
): void {
  db.sql(REMEMBER).run([owner, model, operation, key, digest, id, nowMs + keepMs]);
}

/** So many at once, so that a sweep holds nobody up. */
const FORGET_AT_ONCE = 1000;

/** Forgets keys whose time is over, so that the rows of their tasks may go. */
export function forgetKeys({ db, nowMs }: Session): void {
  for (const [owner, model, operation, key, task] of db.sql(EXPIRED).all([nowMs, FORGET_AT_ONCE])) {
    db.sql(FORGET).run([owner, model, operation, key] as string[]);
    db.sql(LET_GO).run([task as string]);
  }
}
