import type { SweepRequest } from "../contracts/ledger.ts";
import type { TaskError } from "../contracts/task.ts";

/** Why a ledger ends a task that its deadline has found waiting. */
export const WAITED_TOO_LONG: TaskError = {
  code: "WAIT_DEADLINE",
  message: "It waited longer than allowed.",
};

/** Why a ledger ends a task that its sweep was told nobody can run. */
export const NO_SERVER: TaskError = {
  code: "NO_SERVER",
  message: "No server existed for its model for longer than allowed.",
};

/** With what the waiting tasks of each lane end that a sweep was told of; its own error goes before `NO_SERVER`. */
export function laneEndings({
  unserved,
  failing = [],
}: Pick<SweepRequest, "unserved" | "failing">): Map<string, TaskError> {
  const endings = new Map(unserved.map((model) => [model, NO_SERVER]));
  for (const { model, error } of failing) endings.set(model, error);
  return endings;
}
