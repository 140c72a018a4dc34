import { SETTING_NAMES, type SettingName } from "./settings-schema.ts";

/** `dataDir` → `data-dir`. A flag that may be repeated names one thing. */
export function flagOf(name: SettingName): string {
  return name === "servers" ? "server" : name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

/** `dataDir` → `MODELGATE_DATA_DIR`. */
export function variableOf(name: SettingName): string {
  return `MODELGATE_${name.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()}`;
}

export const FLAGS: ReadonlyMap<string, SettingName> = new Map(
  SETTING_NAMES.map((name) => [flagOf(name), name]),
);

export const VARIABLES: ReadonlyMap<string, SettingName> = new Map(
  SETTING_NAMES.map((name) => [variableOf(name), name]),
);
