import { GatewayError } from "@modelgate/core";
import { holderOf } from "@modelgate/core/adapter";
import type { Session } from "./session.ts";

export interface LoggedGrant {
  readonly id: string;
  readonly attempt: number;
  readonly kind: "run" | "recover";
}

export interface RunnerCall {
  readonly runner: string;
  readonly incarnation: string;
  readonly sequence: number;
  readonly acknowledged: number;
}

export interface Begun {
  readonly repeated: boolean;
  /** What was granted under this sequence before. */
  readonly grants: readonly LoggedGrant[];
  /** The holder whose tasks go back at once, because a newer incarnation of its runner is here. */
  readonly replaced?: string | undefined;
  readonly unacknowledged: readonly LoggedGrant[];
  /** Incarnations that were replaced, the latest last. */
  readonly retired: readonly string[];
}

/** Retired incarnations that are remembered for each runner; an older one is long past its leases. */
const REMEMBERED = 16;

const FIND = "SELECT incarnation, sequence, grants, retired FROM runners WHERE runner = ?";
const SAVE = `
INSERT INTO runners (runner, incarnation, sequence, grants, retired, process) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (runner) DO UPDATE SET incarnation = excluded.incarnation, sequence = excluded.sequence,
  grants = excluded.grants, retired = excluded.retired, process = excluded.process`;

/** Opens a sequence, or finds it open. Throws `STALE_RUNNER`, and has then written nothing. */
export function beginSequence({ db }: Session, call: RunnerCall): Begun {
  const row = db.sql(FIND).get([call.runner]);
  const none = { repeated: false, grants: [], unacknowledged: [] };
  if (row === undefined) return { ...none, retired: [] };
  const incarnation = row[0] as string;
  const sequence = row[1] as number;
  const retired = JSON.parse(row[3] as string) as string[];
  if (retired.includes(call.incarnation)) throw staleRunner(call);
  if (incarnation !== call.incarnation) {
    const replaced = holderOf({ runner: call.runner, incarnation });
    return { ...none, replaced, retired: [...retired, incarnation].slice(-REMEMBERED) };
  }
  if (call.sequence < sequence) throw staleRunner(call);
  const grants = (JSON.parse(row[2] as string) as [string, number, 0 | 1][]).map(
    ([id, attempt, recovers]): LoggedGrant => {
      return { id, attempt, kind: recovers === 1 ? "recover" : "run" };
    },
  );
  if (call.sequence === sequence) return { ...none, repeated: true, grants, retired };
  return { ...none, unacknowledged: call.acknowledged < sequence ? grants : [], retired };
}

/** Keeps what was granted under the open sequence, and in which process the runner is. */
export function saveSequence(
  session: Session,
  call: RunnerCall,
  grants: readonly LoggedGrant[],
  retired: readonly string[],
): void {
  const logged = grants.map(({ id, attempt, kind }) => [id, attempt, kind === "recover" ? 1 : 0]);
  const values = [
    call.runner,
    call.incarnation,
    call.sequence,
    JSON.stringify(logged),
    JSON.stringify(retired),
  ];
  session.db.sql(SAVE).run([...values, session.processId]);
}

function staleRunner(call: RunnerCall): GatewayError {
  return new GatewayError(
    "STALE_RUNNER",
    `a newer exchange of runner "${call.runner}" than ${call.sequence} was seen`,
    {
      details: { runner: call.runner, sequence: call.sequence },
    },
  );
}
