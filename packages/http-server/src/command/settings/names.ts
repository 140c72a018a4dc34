import type { CommandName } from "./setting.ts";
import { SETTING_NAMES, type SecretName, type SettingName, settingOf } from "./settings.ts";

/** What can be given: a setting, or the file that holds one. */
export type KeyName = SettingName | `${SecretName}File`;

/** A key, and the setting that it gives. */
export interface Key {
  readonly name: KeyName;
  readonly setting: SettingName;
  /** It names a file, and the file holds the value. */
  readonly isFile: boolean;
}

/** Each key that a configuration file may have. A dot in a name is a level of the file. */
export const KEYS: ReadonlyMap<string, Key> = new Map(
  SETTING_NAMES.flatMap((setting) => keysOf(setting)).map((key) => [key.name, key]),
);

export const CONFIG_VARIABLE = "MODELGATE_CONFIG";

/** Flags that are no key in another spelling: one names one thing of several, others are short for a whole group. */
const FLAGS: Readonly<Partial<Record<KeyName, string>>> = {
  servers: "server",
  "docker.enabled": "docker",
  "deployments.enabled": "deployments",
};

export const VARIABLES: ReadonlyMap<string, Key> = new Map(
  [...KEYS.values()].map((key) => [variableOf(key.name), key]),
);

/** The settings that a command takes. */
export function settingsOf(command: CommandName): readonly SettingName[] {
  return SETTING_NAMES.filter((name) => settingOf(name).commands.includes(command));
}

/** What a command can be given. */
export function keysOf(setting: SettingName): readonly Key[] {
  const own: Key = { name: setting, setting, isFile: false };
  if (settingOf(setting).isSecret !== true) return [own];
  return [own, { name: `${setting as SecretName}File`, setting, isFile: true }];
}

/** `dataDir` → `data-dir`, `postgres.url` → `postgres-url`. */
export function flagOf(name: KeyName, command?: CommandName): string {
  const own = KEYS.get(name);
  const { flag, commands } = settingOf(own?.setting ?? (name as SettingName));
  if (flag !== undefined && command === commands[0]) return flag;
  return (
    FLAGS[name] ?? name.replaceAll(".", "-").replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)
  );
}

/** `dataDir` → `MODELGATE_DATA_DIR`, `postgres.url` → `MODELGATE_POSTGRES_URL`. */
export function variableOf(name: KeyName): string {
  const words = name.replaceAll(".", "_").replaceAll(/[A-Z]/g, (letter) => `_${letter}`);
  return `MODELGATE_${words.toUpperCase()}`;
}

/** How a message names a setting, so that it is found wherever it is set. */
export function whereToGive(name: KeyName): string {
  return `${name} (${variableOf(name)})`;
}
