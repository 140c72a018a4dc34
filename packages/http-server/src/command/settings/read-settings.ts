import { readFileSync } from "node:fs";
import { suggestion } from "../nearest.ts";
import { UsageError } from "../usage-error.ts";
import { CONFIG_VARIABLE, flagOf, settingsOf, VARIABLES } from "./names.ts";
import { type CommandName, SETTING_NAMES, type SettingName, type Settings, settingOf } from "./settings.ts";

type Environment = Readonly<Record<string, string | undefined>>;

/** What was told, by flags and otherwise. */
export interface Told {
  readonly command: CommandName;
  /** Values of flags. */
  readonly flags: Readonly<Partial<Record<SettingName, string | readonly string[]>>>;
  /** The configuration file that a flag names. */
  readonly config: string | undefined;
  readonly environment: Environment;
}

export interface ReadSettings {
  /** Settings that cannot be understood have their default. */
  readonly settings: Settings;
  /** Which settings were told at all. */
  readonly given: ReadonlySet<SettingName>;
  /** What cannot be understood, each with what to give instead. */
  readonly problems: readonly string[];
  /** What looks like a mistake and is none for sure. */
  readonly warnings: readonly string[];
}

/** Where a value came from, in the words of whoever gave it. */
interface Given {
  readonly value: unknown;
  readonly as: string;
}

/** Everything that was told, flags before the environment before the file. Throws `UsageError`. */
export function readSettings(told: Told): ReadSettings {
  const read = trySettings(told);
  if (read.problems.length > 0) throw new UsageError(read.problems.join("\n"));
  return read;
}

/** The same, for whoever wants to know all that is wrong. */
export function trySettings({ command, flags, config, environment }: Told): ReadSettings {
  const given = new Map<SettingName, Given>();
  const problems: string[] = [];
  const file = config ?? notEmpty(environment[CONFIG_VARIABLE]);
  if (file !== undefined) problems.push(...readFile(file, given));
  for (const [variable, name] of VARIABLES) {
    const value = notEmpty(environment[variable]);
    if (value !== undefined) given.set(name, { value, as: variable });
  }
  for (const [name, value] of Object.entries(flags) as [SettingName, unknown][]) {
    given.set(name, { value, as: `--${flagOf(name)}` });
  }

  const settings: Partial<Record<SettingName, unknown>> = {};
  const taken = settingsOf(command);
  for (const name of SETTING_NAMES) {
    const { kind, default: fallback } = settingOf(name);
    const found = given.get(name);
    settings[name] = fallback;
    // What another command would stumble over is no reason for this one to.
    if (found === undefined || !taken.includes(name)) continue;
    const read = kind.read(found.value);
    if ("value" in read) settings[name] = read.value;
    else problems.push(describe(name, found, read.fix));
  }
  return {
    settings: settings as Settings,
    given: new Set(given.keys()),
    problems,
    warnings: strangeVariables(environment),
  };
}

function describe(name: SettingName, { as, value }: Given, fix: string): string {
  if (settingOf(name).isSecret) return `${as} cannot be understood; ${fix}.`;
  return `${as} is ${(JSON.stringify(value) ?? "").slice(0, 100)}; ${fix}.`;
}

/** Takes over the keys of a file; returns what is wrong with it. */
function readFile(file: string, given: Map<SettingName, Given>): string[] {
  let content: unknown;
  try {
    content = JSON.parse(readFileSync(file, "utf8"));
  } catch (error) {
    const why = error instanceof SyntaxError ? "is not JSON" : "cannot be read";
    const { code } = error as NodeJS.ErrnoException;
    return [`The configuration file ${file} ${why}${code === undefined ? "" : ` (${code})`}.`];
  }
  if (typeof content !== "object" || content === null || Array.isArray(content)) {
    return [`The configuration file ${file} must hold one JSON object.`];
  }
  const problems: string[] = [];
  for (const [key, value] of Object.entries(content)) {
    const name = SETTING_NAMES.find((each) => each === key);
    if (name === undefined)
      problems.push(`${file} has an unknown key "${key}".${suggestion(key, SETTING_NAMES)}`);
    // Many write null for what they leave open.
    else if (value !== null) given.set(name, { value, as: `"${key}" in ${file}` });
  }
  return problems;
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
