import type { CmgEntry, CmgSettings } from "../from-cmg/entries.ts";
import { suggestion } from "../nearest.ts";
import { UsageError } from "../usage-error.ts";
import { checkSettings } from "./check-settings.ts";
import type { LoadedConfig } from "./config-file/load-config.ts";
import { takeKeys } from "./config-file/take-keys.ts";
import { CONFIG_VARIABLE, flagOf, KEYS, type KeyName, settingsOf, VARIABLES } from "./names.ts";
import { readSecretFile } from "./secret-file.ts";
import type { CommandName, Environment } from "./setting.ts";
import { SETTING_NAMES, type SettingName, type Settings, settingOf } from "./settings.ts";

/** What was told, by flags and otherwise. */
export interface Told {
  readonly command: CommandName;
  /** Values of flags. */
  readonly flags: Readonly<Partial<Record<KeyName, string | readonly string[]>>>;
  /** The configuration file, if there is one. */
  readonly config: LoadedConfig | undefined;
  readonly environment: Environment;
  /** What the file and the variables of the CogStack Model Gateway say, where there are any. */
  readonly cmg?: CmgSettings | undefined;
}

export interface ReadSettings {
  /** Settings that cannot be understood have their default. */
  readonly settings: Settings;
  /** Where each setting that was told comes from, for people. */
  readonly sources: ReadonlyMap<SettingName, string>;
  /** Those that come from CMG's file, its variables or its defaults. */
  readonly fromCmg: ReadonlySet<SettingName>;
  /** What cannot be understood, each with what to give instead. */
  readonly problems: readonly string[];
  /** What looks like a mistake and is none for sure. */
  readonly warnings: readonly string[];
}

/** A value, and where it came from, in the words of whoever gave it. */
interface Given {
  readonly value: unknown;
  readonly as: string;
  /** The value is the name of the file that holds the setting. */
  readonly isFile: boolean;
  readonly isOfCmg: boolean;
}

/** Everything that was told, flags before the environment before the file. Throws `UsageError`. */
export function readSettings(told: Told): ReadSettings {
  const read = trySettings(told);
  if (read.problems.length > 0) throw new UsageError(read.problems.join("\n"));
  return read;
}

/** The same, for whoever wants to know all that is wrong. */
export function trySettings(told: Told): ReadSettings {
  const { command, environment } = told;
  const problems: string[] = [];
  const warnings = strangeVariables(environment);
  problems.push(...(told.cmg?.problems ?? []));
  warnings.push(...(told.cmg?.warnings ?? []));
  const given = collect(told, problems, warnings);
  const fromCmg = new Set<SettingName>();
  const settings: Partial<Record<SettingName, unknown>> = {};
  const sources = new Map<SettingName, string>();
  const taken = settingsOf(command);
  for (const name of SETTING_NAMES) {
    const { default: fallback } = settingOf(name);
    const found = given.get(name);
    settings[name] = fallback;
    // What another command would stumble over is no reason for this one to.
    if (found === undefined || !taken.includes(name)) continue;
    const read = readValue(name, found, warnings);
    if ("problem" in read) problems.push(read.problem);
    else {
      settings[name] = read.value;
      sources.set(name, found.as);
      if (found.isOfCmg) fromCmg.add(name);
    }
  }
  const complete = settings as Settings;
  if (problems.length === 0) problems.push(...checkSettings(command, complete, environment));
  return { settings: complete, sources, fromCmg, problems, warnings };
}

/** What was given for each setting by whoever comes first; says where somebody contradicts himself. */
function collect(
  { command, flags, config, environment, cmg }: Told,
  problems: string[],
  warnings: string[],
): Map<SettingName, Given> {
  const given = new Map<SettingName, Given>();
  const layer = (
    entries: Iterable<readonly [KeyName, { readonly value: unknown; readonly as: string }]>,
  ): void => {
    const own = new Map<SettingName, Given>();
    for (const [name, { value, as }] of entries) {
      const key = KEYS.get(name);
      if (key === undefined) continue;
      const other = own.get(key.setting);
      if (other !== undefined) problems.push(`${other.as} and ${as} give the same; give one of them.`);
      own.set(key.setting, { value, as, isFile: key.isFile, isOfCmg: false });
    }
    for (const [name, found] of own) given.set(name, found);
  };
  const layerOfCmg = (entries: ReadonlyMap<KeyName, CmgEntry> | undefined): void => {
    for (const [name, { value, as }] of entries ?? []) {
      const key = KEYS.get(name);
      if (key === undefined) continue;
      const weaker = given.get(key.setting);
      if (weaker !== undefined && contradicts(weaker, value, as))
        warnings.push(overruled(name, weaker.as, as));
      if (value === undefined) given.delete(key.setting);
      else given.set(key.setting, { value, as, isFile: false, isOfCmg: true });
    }
  };
  layerOfCmg(cmg?.file);

  if (config !== undefined) {
    const { path } = config;
    if ("problem" in config) problems.push(config.problem);
    else {
      const read = takeKeys(config.content, path);
      problems.push(...read.problems);
      layer(read.taken.map(({ key, value }) => [key.name, { value, as: `"${key.name}" in ${path}` }]));
    }
  }
  layerOfCmg(cmg?.variables);
  const ofCmg = new Map(given);
  layer(
    [...VARIABLES].flatMap(([variable, key]) => {
      const value = notEmpty(environment[variable]);
      return value === undefined ? [] : [[key.name, { value, as: variable }] as const];
    }),
  );
  for (const [name, { value, as, isOfCmg }] of given) {
    const weaker = ofCmg.get(name);
    if (!isOfCmg && weaker?.isOfCmg === true && contradicts(weaker, value, as))
      warnings.push(overruled(name, weaker.as, as));
  }
  layer(
    Object.entries(flags).map(([name, value]) => {
      return [name as KeyName, { value, as: `--${flagOf(name as KeyName, command)}` }];
    }),
  );
  if (cmg !== undefined) dropOverruled(given);
  return given;
}

/** Whether somebody says another thing than what something weaker says; a default says nothing. */
function contradicts(weaker: Given, value: unknown, as: string): boolean {
  if (weaker.as.startsWith("default") || as.startsWith("default")) return false;
  return value !== undefined && textOf(weaker.value) !== textOf(value);
}

function textOf(value: unknown): string {
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

function overruled(name: KeyName, weaker: string, stronger: string): string {
  return `${weaker} and ${stronger} give ${name} differently; ${stronger} counts.`;
}

/** What CMG says of a way that something stronger does not take. */
function dropOverruled(given: Map<SettingName, Given>): void {
  const drop = (name: SettingName): void => {
    if (given.get(name)?.isOfCmg === true) given.delete(name);
  };
  if (given.get("docker.address")?.value !== "proxy") drop("docker.proxyUrl");
  if (given.has("mlflow.token"))
    for (const name of ["mlflow.username", "mlflow.password"] as const) drop(name);
}

function readValue(
  name: SettingName,
  { value, as, isFile }: Given,
  warnings: string[],
): { readonly value: unknown } | { readonly problem: string } {
  const { kind } = settingOf(name);
  if (!isFile) {
    const read = kind.read(value);
    return "value" in read ? read : { problem: describe(name, as, value, read.fix) };
  }
  const secret = readSecretFile(value);
  if ("problem" in secret) return { problem: `${as} ${secret.problem}` };
  if (secret.isOpen)
    warnings.push(`others can read ${secret.path}, which ${as} names; chmod 600 ${secret.path}`);
  const read = kind.read(secret.text);
  if ("value" in read) return read;
  return { problem: `${as} names ${secret.path}, which cannot be understood; ${read.fix}.` };
}

function describe(name: SettingName, as: string, value: unknown, fix: string): string {
  const text = JSON.stringify(value) ?? "";
  // An address may hold a user and a password also where none belongs.
  if (settingOf(name).isSecret || /\/\/.*@/.test(text)) return `${as} cannot be understood; ${fix}.`;
  return `${as} is ${text.slice(0, 100)}; ${fix}.`;
}

/** Other tools may have variables of this prefix, so an unknown one is no error. */
function strangeVariables(environment: Environment): string[] {
  const known = [...VARIABLES.keys(), CONFIG_VARIABLE];
  return Object.keys(environment)
    .filter((name) => /^MODELGATE_(?!SQLITE_DRIVER$)/.test(name) && !known.includes(name))
    .map((name) => `${name} is not a variable of modelgate.${suggestion(name, known)}`);
}

/** A variable set to nothing is how many say that it is not set. */
function notEmpty(text: string | undefined): string | undefined {
  return text === "" ? undefined : text;
}
