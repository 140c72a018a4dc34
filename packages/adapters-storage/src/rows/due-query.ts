import { type DueListRequest, GatewayError, type TaskRecord } from "@modelgate/core";

/** A place in a lane. */
export type RankPlace = readonly [rank: number, id: string];

/** A listing of what is due with its bounds checked and its cursor taken apart. */
export interface DueQuery {
  /** Each with whether it is of background work, and how much of it is asked for. */
  readonly lanes: readonly (readonly [lane: string, background: 0 | 1, max: number])[];
  readonly after?: RankPlace | undefined;
}

const MOST_OF_A_LANE = 1000;

/** Throws `INVALID_REQUEST`. */
export function toDueQuery({ due, cursor }: DueListRequest): DueQuery {
  for (const { max } of due) {
    if (!Number.isInteger(max) || max < 1 || max > MOST_OF_A_LANE)
      throw badField("max", `an integer from 1 to ${MOST_OF_A_LANE}; it is ${max}`);
  }
  if (cursor !== undefined && due.length !== 1)
    throw badField("cursor", "left out unless one lane is asked for");
  const lanes = due.map(({ lane, background, max }) => [lane, background ? 1 : 0, max] as const);
  return { lanes, after: cursor === undefined ? undefined : parseCursor(cursor) };
}

export function dueCursorOf({ rank, id }: Pick<TaskRecord, "rank" | "id">): string {
  return `${rank}/${id}`;
}

function parseCursor(cursor: string): RankPlace {
  const slash = cursor.indexOf("/");
  const rank = Number(cursor.slice(0, slash));
  if (slash < 1 || !Number.isFinite(rank)) throw badField("cursor", "one that a listing of a lane gave");
  return [rank, cursor.slice(slash + 1)];
}

function badField(field: string, allowed: string): GatewayError {
  return new GatewayError("INVALID_REQUEST", `${field} must be ${allowed}`, { details: { field } });
}
