import type { CommandName } from "../settings/setting.ts";
import type { CmgEntries, CmgEntry } from "./entries.ts";

/** Python's levels, the least first. */
const LEVELS: Readonly<Record<string, string>> = {
  CRITICAL: "error",
  ERROR: "error",
  WARNING: "warn",
  WARN: "warn",
  INFO: "info",
  DEBUG: "debug",
};
const ORDER = ["error", "warn", "info", "debug"];

const OF_ROLES: Readonly<Partial<Record<CommandName, readonly string[]>>> = {
  gateway: ["GATEWAY"],
  scheduler: ["SCHEDULER"],
  reaper: ["RIPPER"],
};

/** What a process logs: the most that one of the parts is told that it does. */
export function logLevelOf(
  given: ReadonlyMap<string, string>,
  command: CommandName,
  out: CmgEntries,
): CmgEntry | undefined {
  const parts = [...(OF_ROLES[command] ?? ["GATEWAY", "SCHEDULER", "RIPPER"]), "COMMON"];
  const told = parts.flatMap((part) => {
    const name = `CMG_${part}_LOG_LEVEL`;
    const value = given.get(name);
    if (value === undefined) return [];
    const level = LEVELS[value.trim().toUpperCase()];
    if (level !== undefined) return [{ name, level }];
    out.warn(`${name} is no level of a log, and is not used; give ${Object.keys(LEVELS).join(", ")}.`);
    return [];
  });
  const most = told.toSorted((one, other) => ORDER.indexOf(other.level) - ORDER.indexOf(one.level))[0];
  if (most === undefined) return undefined;
  if (told.some(({ level }) => level !== most.level)) {
    const all = told.map(({ name, level }) => `${name} (${level})`).join(", ");
    out.warn(`${all} differ; one process has one level, and ${most.name} counts.`);
  }
  return { value: most.level, as: most.name };
}
