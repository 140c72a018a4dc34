import {
  type Begun,
  beginSequence,
  type LoggedGrant,
  type RunnerCall,
  staleRunner,
} from "@modelgate/core/adapter";
import { toGrantItem, toKnownRunner } from "../../rows/runner-row.ts";
import type { Session } from "./session.ts";

const FIND = "SELECT incarnation, sequence, grants, retired FROM runners WHERE runner = ?";
const SAVE = `
INSERT INTO runners (runner, incarnation, sequence, grants, retired, process) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (runner) DO UPDATE SET incarnation = excluded.incarnation, sequence = excluded.sequence,
  grants = excluded.grants, retired = excluded.retired, process = excluded.process`;
const SAVE_GRANTS = "UPDATE runners SET grants = ? WHERE runner = ?";

/** Opens a sequence, or finds it open. Throws `STALE_RUNNER`, and has then written nothing. */
export function openSequence({ db }: Session, call: RunnerCall): Begun {
  const row = db.sql(FIND).get([call.runner]);
  return beginSequence(call, row && toKnownRunner(row));
}

/** What was granted under the open sequence so far. Throws `STALE_RUNNER` unless it is this one. */
export function requireSequence(
  { db }: Session,
  call: Omit<RunnerCall, "acknowledged">,
): readonly LoggedGrant[] {
  const row = db.sql(FIND).get([call.runner]);
  const known = row && toKnownRunner(row);
  if (known?.incarnation !== call.incarnation || known.sequence !== call.sequence) throw staleRunner(call);
  return known.grants();
}

/** Keeps all that was granted under the open sequence. */
export function addGrants(
  { db }: Session,
  { runner }: { runner: string },
  grants: readonly LoggedGrant[],
): void {
  db.sql(SAVE_GRANTS).run([JSON.stringify(grants.map(toGrantItem)), runner]);
}

/** Keeps what was granted under the open sequence, and in which process the runner is. */
export function saveSequence(
  session: Session,
  call: RunnerCall,
  grants: readonly LoggedGrant[],
  retired: readonly string[],
): void {
  const values = [
    call.runner,
    call.incarnation,
    call.sequence,
    JSON.stringify(grants.map(toGrantItem)),
    JSON.stringify(retired),
  ];
  session.db.sql(SAVE).run([...values, session.processId]);
}
