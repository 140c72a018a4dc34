/** What an author of a Ledger or TaskStore builds on: the pure rules, so that every store decides alike. */
export { holderOf } from "./memory/runner-log.ts";
export {
  type LaneCursor,
  type OpenLanes,
  type PlannedGrant,
  planGrants,
  type ServerRoom,
  type WaitingTask,
} from "./scheduler/plan-grants.ts";
export { compareRank, rankOf } from "./scheduler/rank.ts";
export {
  endByLedger,
  expire,
  grant,
  isTerminal,
  needsRecovery,
  recover,
  renew,
  requestCancel,
  settle,
  type Transition,
  unbegin,
} from "./tasks/task-state.ts";
export { idempotencyMismatch, refusalOf } from "./tasks/validate-task.ts";
