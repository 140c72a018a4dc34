import type { TaskRecord } from "@modelgate/core";
import { identityOf } from "../rows/task-row.ts";

/** What a task that is submitted and one that is brought have in common. */
type NewRow = Parameters<typeof identityOf>[0] &
  Pick<TaskRecord, "id" | "model" | "operation" | "owner" | "background" | "priority">;

/** The columns `id, model, operation, owner, background, priority` of new rows, each as one parameter. */
export function namingColumns(tasks: readonly NewRow[]): unknown[] {
  return [
    tasks.map(({ id }) => id),
    tasks.map(({ model }) => model),
    tasks.map(({ operation }) => operation),
    tasks.map(({ owner }) => owner),
    tasks.map(({ background }) => (background ? 1 : 0)),
    tasks.map(({ priority }) => priority),
  ];
}

/** The columns `payload_bytes, identity, bytes` of new rows, each as one parameter. */
export function payloadColumns(tasks: readonly NewRow[]): unknown[] {
  return [
    tasks.map(({ payload }) => payload.sizeBytes),
    tasks.map(identityOf),
    tasks.map(({ payload }) => payload.inline ?? null),
  ];
}
