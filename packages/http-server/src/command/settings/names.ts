import { type CommandName, SETTING_NAMES, type SettingName, settingOf } from "./settings.ts";

/** `dataDir` → `data-dir`. A flag that may be repeated names one thing. */
export function flagOf(name: SettingName): string {
  return name === "servers" ? "server" : name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

/** `dataDir` → `MODELGATE_DATA_DIR`. */
export function variableOf(name: SettingName): string {
  return `MODELGATE_${name.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()}`;
}

export const CONFIG_VARIABLE = "MODELGATE_CONFIG";

export const VARIABLES: ReadonlyMap<string, SettingName> = new Map(
  SETTING_NAMES.map((name) => [variableOf(name), name]),
);

/** The settings that a command takes. */
export function settingsOf(command: CommandName): readonly SettingName[] {
  return SETTING_NAMES.filter((name) => settingOf(name).commands.includes(command));
}
