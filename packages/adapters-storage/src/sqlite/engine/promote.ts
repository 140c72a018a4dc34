import type { Session } from "./session.ts";

const PROMOTE = `
UPDATE tasks SET ready = 1
WHERE seq IN (SELECT seq FROM tasks WHERE ready = 0 AND not_before <= ? ORDER BY not_before LIMIT ?)
RETURNING model, background`;
const NEXT_DUE = "SELECT min(not_before) FROM tasks WHERE ready = 0";

/** Moves what has waited out its back-off to its lane, all of it unless limited; tells when the next one is due. */
export function promote({ db, nowMs, lanes }: Session, limit = -1): number | undefined {
  const dueAtMs = db.sql(NEXT_DUE).get([])?.[0] as number | null | undefined;
  if (dueAtMs === null || dueAtMs === undefined) return undefined;
  if (dueAtMs > nowMs) return dueAtMs - nowMs;
  for (const [model, background] of db.sql(PROMOTE).all([nowMs, limit]))
    lanes.change(model as string, background as 0 | 1, 0, 0);
  const nextAtMs = db.sql(NEXT_DUE).get([])?.[0] as number | null | undefined;
  return nextAtMs === null || nextAtMs === undefined ? undefined : nextAtMs - nowMs;
}
