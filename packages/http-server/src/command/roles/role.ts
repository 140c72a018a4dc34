import type { RoleName } from "../settings/setting.ts";
import type { Settings } from "../settings/settings.ts";

/** What a process of one kind does. */
export interface Role {
  readonly name: RoleName;
  /** Whether it runs tasks, unless it is told not to. */
  readonly runs: boolean;
  /** Whether it looks after leases, deadlines and retention. */
  readonly sweeps: boolean;
  /** Whether it looks for objects that no task names: one or a few are enough, and each looks through all of them. */
  readonly sweepsObjects: boolean;
  /** Whether it serves the API. The others have a port for monitoring at most. */
  readonly answers: boolean;
}

export const ROLES: Readonly<Record<RoleName, Role>> = {
  serve: { name: "serve", runs: true, sweeps: true, sweepsObjects: true, answers: true },
  gateway: { name: "gateway", runs: false, sweeps: false, sweepsObjects: false, answers: true },
  // It sweeps too, so that what another scheduler held when it died is taken over without a reaper.
  scheduler: { name: "scheduler", runs: true, sweeps: true, sweepsObjects: false, answers: false },
  reaper: { name: "reaper", runs: false, sweeps: true, sweepsObjects: true, answers: false },
};

/** The port that a role listens on; `undefined` when it does not. */
export function portOf({ name }: Role, settings: Settings): number | undefined {
  switch (name) {
    case "scheduler":
      return settings["scheduler.port"];
    case "reaper":
      return settings["reaper.port"];
    default:
      return settings.port;
  }
}
