import { GatewayError, TASK_STATES, type TaskFilter, type TaskRecord } from "@modelgate/core";
import { finite } from "./finite.ts";

/** A listing with its bounds checked and its cursor taken apart. */
export interface ListQuery {
  readonly states?: readonly number[] | undefined;
  readonly model?: string | undefined;
  readonly operation?: string | undefined;
  readonly owner?: string | undefined;
  readonly createdFromMs?: number | undefined;
  readonly createdBeforeMs?: number | undefined;
  readonly after?: readonly [number, string] | undefined;
  readonly limit: number;
}

export function toListQuery(filter: TaskFilter, cursor: string | undefined, limit: number): ListQuery {
  if (!Number.isInteger(limit) || limit < 1 || limit > 1000) {
    const message = `limit must be an integer from 1 to 1000; it is ${limit}`;
    throw new GatewayError("INVALID_REQUEST", message, { details: { field: "limit" } });
  }
  const { states, model, operation, owner, createdFromMs, createdBeforeMs } = filter;
  return {
    model,
    operation,
    owner,
    createdFromMs: createdFromMs === undefined ? undefined : finite(createdFromMs),
    createdBeforeMs: createdBeforeMs === undefined ? undefined : finite(createdBeforeMs),
    states: states?.map((state) => TASK_STATES.indexOf(state)),
    after: cursor === undefined ? undefined : parseCursor(cursor),
    limit,
  };
}

export function cursorOf(task: TaskRecord): string {
  return `${task.createdAtMs}.${task.id}`;
}

function parseCursor(cursor: string): readonly [number, string] {
  const dot = cursor.indexOf(".");
  const createdAtMs = Number(cursor.slice(0, dot));
  if (dot < 1 || !Number.isFinite(createdAtMs)) {
    throw new GatewayError("INVALID_REQUEST", "cursor is not one that a listing gave", {
      details: { field: "cursor" },
    });
  }
  return [createdAtMs, cursor.slice(dot + 1)];
}
