import type { KnownRunner, LoggedGrant } from "@modelgate/core/adapter";
import type { SqlRow } from "./task-row.ts";

/** A grant as a runner's row keeps it: a list of these is a JSON text. */
type GrantItem = readonly [id: string, attempt: number, recovers: 0 | 1];

export function toGrantItem({ id, attempt, kind }: LoggedGrant): GrantItem {
  return [id, attempt, kind === "recover" ? 1 : 0];
}

/** A row of incarnation, sequence, grants and retired incarnations, the latter two as JSON. */
export function toKnownRunner(row: SqlRow): KnownRunner {
  const [incarnation, sequence, grants, retired] = row as readonly [string, number, string, string];
  return {
    incarnation,
    sequence,
    grants: () => (JSON.parse(grants) as GrantItem[]).map(toLoggedGrant),
    retired: JSON.parse(retired) as string[],
  };
}

function toLoggedGrant([id, attempt, recovers]: GrantItem): LoggedGrant {
  return { id, attempt, kind: recovers === 1 ? "recover" : "run" };
}
