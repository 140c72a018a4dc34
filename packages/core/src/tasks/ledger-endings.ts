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
