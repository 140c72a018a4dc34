/**
 * What an author of a Ledger or TaskStore builds on: the pure rules, so that every store decides alike. And of a
 * Discovery: the probing of what it found.
 */

export { sleep } from "./clock.ts";
export { MonitoredServers } from "./discovery/monitored-servers.ts";
export {
  checkNames,
  checkProbeOptions,
  PROBE_OPTIONS,
  type ProbeOptions,
  type ProbeSettings,
} from "./discovery/probe-settings.ts";
export type { ServerEntry } from "./discovery/server-entry.ts";
export type { ServerProbe } from "./discovery/server-monitor.ts";
export { unlessAborted } from "./discovery/unless-aborted.ts";
export { invalidOption, numberWithin } from "./option-checks.ts";
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
  type Begun,
  beginSequence,
  holderOf,
  type KnownRunner,
  type LoggedGrant,
  type RunnerCall,
  staleRunner,
} from "./tasks/begin-sequence.ts";
export { type StoredBody, storeBody } from "./tasks/body.ts";
export { beforeBrought, broughtHold, broughtRefusalOf } from "./tasks/check-brought.ts";
export { laneEndings, NO_SERVER, WAITED_TOO_LONG } from "./tasks/ledger-endings.ts";
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
export { idempotencyMismatch, idTaken, refusalOf } from "./tasks/validate-task.ts";
