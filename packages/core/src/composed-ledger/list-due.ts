import type { OperationOptions, Page } from "../contracts/common.ts";
import type { TaskRecord } from "../contracts/task.ts";
import type { DueLane, TaskStore } from "../contracts/task-store.ts";

/** What is due in some lanes, lowest rank first. */
export async function listDue(
  store: Pick<TaskStore, "list">,
  due: readonly DueLane[],
  cursor: string | undefined,
  options: OperationOptions,
): Promise<Page<TaskRecord>> {
  const { items, nextCursor } = await store.list({ due, cursor }, options);
  const asked = new Set(due.map(({ lane, background }) => `${background ? "b" : "f"}${lane}`));
  // A store that was written before there was `due` lists everything.
  const isAsked = ({ state, model, background }: TaskRecord): boolean =>
    state === "pending" && asked.has(`${background ? "b" : "f"}${model}`);
  return { items: items.filter(isAsked), nextCursor };
}
