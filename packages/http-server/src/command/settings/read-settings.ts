import { readFileSync } from "node:fs";
import { suggestion } from "./nearest.ts";
import type { Flags } from "./read-flags.ts";
import { flagOf, VARIABLES } from "./setting-names.ts";
import { SETTING_NAMES, type SettingName, type Settings, settingsSchema } from "./settings-schema.ts";
import { UsageError } from "./usage-error.ts";

type Environment = Readonly<Record<string, string | undefined>>;

/** Where a value came from, in the words of whoever gave it. */
interface Given {
  readonly value: unknown;
  readonly as: string;
}

export interface ReadSettings {
  readonly settings: Settings;
  readonly jsonLogs: boolean;
  /** What looks like a mistake and is none for sure. */
  readonly warnings: readonly string[];
}

/** Everything that was told, flags before the environment before the file. Throws `UsageError`. */
export function readSettings(flags: Flags, environment: Environment): ReadSettings {
  const given = new Map<SettingName, Given>();
  const config = flags.config ?? notEmpty(environment["MODELGATE_CONFIG"]);
  if (config !== undefined) readFile(config, given);
  for (const [variable, name] of VARIABLES) {
    const value = notEmpty(environment[variable]);
    if (value !== undefined) given.set(name, { value, as: variable });
  }
  for (const [name, value] of Object.entries(flags.settings) as [SettingName, unknown][]) {
    given.set(name, { value, as: `--${flagOf(name)}` });
  }

  const values = Object.fromEntries([...given].map(([name, { value }]) => [name, value]));
  const parsed = settingsSchema.safeParse(values);
  if (!parsed.success) {
    throw new UsageError(parsed.error.issues.map((issue) => describe(issue, given)).join("\n"));
  }
  const jsonLogs = flags.jsonLogs || /^(1|true)$/i.test(environment["MODELGATE_JSON_LOGS"] ?? "");
  return { settings: parsed.data, jsonLogs, warnings: strangeVariables(environment) };
}

function describe(
  issue: { readonly path: readonly PropertyKey[]; readonly message: string },
  given: ReadonlyMap<SettingName, Given>,
): string {
  const name = issue.path[0] as SettingName;
  const { as, value } = given.get(name) ?? { as: name, value: undefined };
  // An address may hold a password, so it is not repeated.
  const shown = name === "servers" ? "cannot be understood" : `is ${JSON.stringify(value)}`;
  return `${as} ${shown}; ${issue.message}.`;
}

function readFile(file: string, given: Map<SettingName, Given>): void {
  let content: unknown;
  try {
    content = JSON.parse(readFileSync(file, "utf8"));
  } catch (error) {
    const why = error instanceof SyntaxError ? "is not JSON" : "cannot be read";
    const code = (error as NodeJS.ErrnoException).code;
    throw new UsageError(`The configuration file ${file} ${why}${code === undefined ? "" : ` (${code})`}.`);
  }
  if (typeof content !== "object" || content === null || Array.isArray(content)) {
    throw new UsageError(`The configuration file ${file} must hold one JSON object.`);
  }
  for (const [key, value] of Object.entries(content)) {
    const name = SETTING_NAMES.find((each) => each === key);
    if (name === undefined) {
      throw new UsageError(`${file} has an unknown key "${key}".${suggestion(key, SETTING_NAMES)}`);
    }
    given.set(name, { value, as: `"${key}" in ${file}` });
  }
}

/** Other commands and tools may have variables of this prefix, so an unknown one is no error. */
function strangeVariables(environment: Environment): string[] {
  const known = [...VARIABLES.keys(), "MODELGATE_CONFIG", "MODELGATE_JSON_LOGS"];
  return Object.keys(environment)
    .filter((name) => name.startsWith("MODELGATE_") && !known.includes(name))
    .map((name) => `${name} is not a variable of modelgate serve.${suggestion(name, known)}`);
}

/** A variable set to nothing is how many say that it is not set. */
function notEmpty(text: string | undefined): string | undefined {
  return text === "" ? undefined : text;
}
